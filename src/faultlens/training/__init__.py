"""Dictionaries for any model: text in, sparse autoencoders and transcoders out.

Folders are in SAELens's format. One pass of the model feeds all dictionaries of a run. What a kind
means (its parameters, its loss) is what SAELens's own training class of that name says; where few
features fire, the same loss and the same gradients are computed sparsely.

- `config.py`: what a user chooses. `plan.py`: the dictionaries that follow from it.
- `stream.py`: a corpus as a shuffled stream of tokens. `harvest.py`: the values at every site;
  `freed_memory.py`: what it took goes back to the system.
- `kinds.py`: SAELens's training classes. `dense_step.py`, `sparse_step.py`: one step of learning;
  `reading.py`: what it saw.
- `trainer.py`: one dictionary's learning. `learning.py`: all of them, block by block.
- `run.py`: a run's folder; `checkpoint.py`: how it goes on after an interruption.
- `saving.py`, `card.py`: a folder in SAELens's format, and what was measured of it.
"""
