# %% [markdown]
# # Which prompts fail, and why?
#
# This tutorial audits `mini`, the bundled model, on prompts such as *"When Ann and Tom went to the park,
# Tom gave the ball to"*, where *Ann* is right. The whole argument is here, with fewer prompts and
# permutations than an audit takes by default, so that it is done in seconds.

# %%
import faultlens as fl

lens = fl.load("mini", layers=[5])
task = fl.tasks.mini_ioi(n=120, seed=0)
first = task.prompts[0]
first.text, first.target, first.foil, first.factors

# %% [markdown]
# A prompt has a target (the right answer), a foil (the wrong one worth comparing with), and factors: what
# describes it.
#
# ## The audit

# %%
audit = fl.audit(
    lens,
    task,
    permutations=999,  # by default 10,000
    baselines=False,  # leaves out the ladder of baselines, the slowest part without a GPU
    test_classes=2,  # classes whose effect is tested; by default 3
    test_attributed=0,
)
audit

# %% [markdown]
# Three sentences, then the classes of features. Read the third sentence twice: it is what one would have
# claimed from the list below it.
#
# ## What fails

# %%
worst = audit.factors["object"]["the keys"]
print(
    f"{worst.failures} of {worst.n} prompts with the keys fail: [{worst.low:.2f}, {worst.high:.2f}]"
)

# %% [markdown]
# ## Which features go with it

# %%
leading = audit.leading
print(
    leading.features[0],
    "fires on",
    leading.fail_active,
    "failures and",
    leading.success_active,
    "successes",
)
print("adjusted p:", round(leading.p_deciding, 4))
print(leading.verdict)

# %% [markdown]
# It goes with failure far beyond chance. Does it matter? Two things stand between "goes with" and
# "causes": it may only stand for the object, and changing it may do nothing. The first is asked within
# strata of the factors that explain the failures, the second by changing the feature in the model.

# %%
for _, reading in audit.classes:
    done = reading.intervention
    if done is not None:
        need = done.necessity
        print(
            f"{reading.features[0]}: taking it away moves the margin by {need.adjusted:+.2f} nats beyond "
            f"{need.controls} controls, p {need.p_value:.3f}"
        )

# %% [markdown]
# The controls are changes of the same size at the same places: other features of the dictionary, and
# directions of the values there. Only what beats nearly all of them counts.
#
# ## What does cause it

# %%
swap = audit.counterfactuals.swaps[0]
print(
    f"{swap.level} -> {swap.swapped_for}: of {swap.failures_original} failures "
    f"{swap.failure_to_success} come right"
)

# %% [markdown]
# The thing that is handed over is the cause. Whatever a feature is called, it would have to explain that.
#
# ## Look at a feature

# %%
prompt = next(outcome.prompt for outcome in audit.outcomes if not outcome.success)
lens.tokens(prompt).feature(leading.features[0])

# %% [markdown]
# What does its direction promote by itself? This is the logit lens: an approximation, and no evidence.

# %%
[one.token for one in audit.directions[leading.features[0]].promoted]

# %% [markdown]
# ## An experiment of your own
#
# `fl.intervene` changes what you name and shows every prompt before and after. It has no controls and
# decides nothing.

# %%
few = fl.tasks.mini_ioi(n=8, seed=0)
fl.intervene(lens, few, leading.features[0], edit=fl.Zero())[
    ["prompt", "generated_before", "generated_after", "margin_before", "margin_after"]
]

# %% [markdown]
# To keep an audit with its report, run `faultlens audit mini-ioi --out runs/audit`. [The audit](../audit.md)
# explains each step, and [a worked example](../worked_example.md) goes through a whole one.
