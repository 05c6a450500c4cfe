# %% [markdown]
# # Which features go with which kind of text?
#
# This tutorial profiles a small corpus on `mini`, the bundled model: seven kinds of text, forty texts
# each. It takes a few seconds and needs no network.

# %%
import faultlens as fl

lens = fl.load("mini", layers=[5])
corpus = fl.seven_categories()
corpus.categories

# %% [markdown]
# A lens is a model and the dictionaries that it is read through; here the one at layer 5. Reading texts
# gives a table for each dictionary: a row a text, a column a feature.

# %%
lens.read(["def area(r):\n    return 3.14 * r * r", "Mary gave the keys to Tom."])["5-res-mini"]

# %% [markdown]
# ## The profile
#
# For each category the profile looks for the feature that best tells its texts from all others (AUROC),
# and compares it with the best of *all* features when the labels are shuffled. 499 shuffles are enough
# for a first look; the default is 10,000.

# %%
profile = fl.profile(lens, corpus, permutations=499)
profile

# %% [markdown]
# ✓ marks what is beyond chance after Holm's correction over categories × dictionaries. An AUROC of 1.00
# means that every text of the category is above every other; it does not yet say *why*.
#
# The numbers are in the result, under the names that they have in `profile.json`:

# %%
best = profile.sites["5-res-mini"].categories["Python"].selectivity
best.feature, best.auroc, best.p_holm

# %% [markdown]
# ## What does the feature respond to?
#
# Look at it on a text. Shade is activation; the numbers stand below.

# %%
lens.tokens("def area(r):\n    return 3.14 * r * r").feature(best.feature)

# %% [markdown]
# And which kind of token does it fall on, beside a random feature of the same dictionary?

# %%
classes = profile.tokens.features[best.feature].classes
{kind: (round(c.share, 2), round(c.random, 2)) for kind, c in classes.items() if c.share > 0.01}

# %% [markdown]
# A feature for "Python" that falls on operators or line breaks is a feature of how code is *written*.
# That is why the profile shows this before anybody names the feature.
#
# ## Was it the length?
#
# Some categories are longer than others, and a maximum over more tokens is larger. Shuffling labels only
# among texts of like length takes that away:

# %%
stratified = fl.profile(lens, corpus, permutations=499, length_strata=4)
{
    category: round(stratified.sites["5-res-mini"].categories[category].selectivity.p_holm, 3)
    for category in corpus.categories
}

# %% [markdown]
# What is left is not explained by length. To keep all of it with a page to look at, run the command
# `faultlens profile seven-categories --out runs/profile`; [the profile](../profile.md) defines every
# number.
