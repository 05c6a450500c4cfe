# %% [markdown]
# # From an evaluation log to a verdict
#
# You ran an evaluation and have its log. This tutorial reads one, says what fails in it, and goes on to
# what the model's features have to do with that. The log is of `mini`, in the format in which lm-eval
# writes its samples; logs of inspect_ai and every-eval-ever are read in the same way.

# %%
from pathlib import Path

import faultlens as fl

log = Path("docs/tutorials/samples_mini_ioi_2026-11-27T10-00-00.jsonl")
answers = fl.read_answers(log, factors=["object", "place", "template"])
answers.source

# %% [markdown]
# Columns of lm-eval's documents describe the prompts, but not each is a factor: those that are have to be
# named. Look at a row before you believe any number:

# %%
first = answers.task.prompts[0]
first.text, first.target, first.factors

# %% [markdown]
# ## Without the model
#
# The log alone already tells which prompts fail, by kind and by factor.

# %%
alone = fl.audit(None, answers, baselines=False)
alone

# %% [markdown]
# It ends there: nothing can be said of features without activations of them.
#
# ## With the model that gave the answers
#
# A lens reads the log's prompts through the model. Whether this *is* the model that answered is checked
# on a sample: it decodes again, and has to begin as the log says. The results that lm-eval writes beside
# its samples say whether BOS stood in front; behind another token a model answers otherwise.

# %%
lens = fl.load("mini", layers=[5])
audit = fl.audit(
    lens, answers, rule="exact-word", permutations=999, baselines=False, test_classes=1, test_attributed=0,
)  # fmt: skip
print(audit.rescoring)

# %% [markdown]
# The rule says how an answer is scored again after a feature was changed; the log's own scorer cannot be
# asked. With it the whole argument follows:

# %%
audit

# %% [markdown]
# ## The verdict

# %%
print(audit.leading.features[0], "-", audit.leading.verdict)

# %% [markdown]
# On the command line: `faultlens outcomes LOG` says what is understood of a log, and
# `faultlens audit --outcomes LOG --model … --sae … --out RUN` does all of the above and writes a report.
# [Evaluation logs](../logs.md) has the details.
