"""Trainer: one dictionary's learning, from scaled activations to a saved folder's tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from faultlens.errors import UserError
from faultlens.training.config import OptimiserConfig, TrainConfig
from faultlens.training.dense_step import DenseStep
from faultlens.training.freed_memory import hand_back
from faultlens.training.harvest import InputScale
from faultlens.training.kinds import training_sae
from faultlens.training.plan import DictionaryPlan
from faultlens.training.reading import CurvePoint, StepReading
from faultlens.training.sparse_step import SparseStep

SPARSE = ("topk", "batchtopk", "transcoder", "skip_transcoder")
OVER_BATCH = ("batchtopk", "matryoshka_batchtopk", "transcoder", "skip_transcoder")
MOST_GRADIENT = 1.0  # norm to which a step's gradients are clipped, as in SAELens's trainer
LAST_RATE = 0.1  # of the learning rate, at the end of its decay


@dataclass(eq=False)
class Trainer:
    """What changes while one dictionary learns. Made by `Trainer.of`.

    Attributes:
        plan: what it is to become.
        sae: SAELens's training SAE, with all parameters.
        skip: of a skip transcoder, `[d_in, d_out]`.
        silent: tokens since each feature fired, `[d_sae]`.
        done: steps taken.
        tokens: learnt from.
        threshold: strength above which a feature fires, for kinds that select over the batch; None
            before `calibrate`.
    """

    plan: DictionaryPlan
    optimiser: OptimiserConfig
    steps: int
    scale: InputScale
    target_scale: InputScale
    sae: Any
    skip: Tensor | None
    adam: torch.optim.Adam
    silent: Tensor
    coarse: bool | None
    done: int
    tokens: int
    curve: list[CurvePoint] = field(default_factory=list)
    threshold: float | None = None
    _sums: list[float] = field(default_factory=lambda: [0.0] * 5)

    @classmethod
    def of(
        cls,
        plan: DictionaryPlan,
        config: TrainConfig,
        steps: int,
        scale: InputScale,
        target_scale: InputScale,
        metadata: dict[str, Any],
        device: torch.device,
    ) -> Trainer:
        """At the beginning, the decoder's bias at the mean of what is to be rebuilt."""
        sae = training_sae(plan, config.sparsity, steps, metadata, device)
        with torch.no_grad():
            sae.b_dec.copy_(target_scale.mean * target_scale.factor)
        if plan.kind in SPARSE:  # a feature's encoder weights side by side, as its step reads them
            sae.W_enc.data = sae.W_enc.data.T.contiguous().T
        skip = None
        if plan.kind == "skip_transcoder":
            skip = torch.zeros(plan.d_in, plan.d_out, device=device, requires_grad=True)
        if plan.frozen_decoder:
            sae.W_dec.requires_grad_(False)
        learnt = [p for p in sae.parameters() if p.requires_grad] + (
            [skip] if skip is not None else []
        )
        adam = torch.optim.Adam(learnt, lr=config.optimiser.learning_rate, fused=True)
        precision = config.optimiser.encoder_precision
        return cls(
            plan, config.optimiser, steps, scale, target_scale, sae, skip, adam,
            torch.zeros(plan.d_sae, dtype=torch.long, device=device),
            None if precision == "auto" else precision == "bfloat16", done=0, tokens=0,
        )  # fmt: skip

    def step(self, values: Tensor, targets: Tensor) -> None:
        """Learn from one batch: the sites' values `[tokens, d]`, in the model's units.

        Raises UserError where the loss is not finite; nothing is changed then.
        """
        x = values * self.scale.factor
        target = x if not self.plan.is_transcoder else targets * self.target_scale.factor
        dead = self.silent > self.optimiser.dead_after
        if self.plan.kind in SPARSE:
            reading = self.sparse_step(x, target, dead)
        else:
            reading = DenseStep(self.sae)(x, dead, self._coefficients(), self.done)
        if not math.isfinite(reading.loss):
            raise UserError(
                f"the loss of {self.plan.folder} became {reading.loss} at token {self.tokens}: "
                "training stopped, and the last checkpoint is kept; expected a smaller "
                f"--learning-rate than {self.optimiser.learning_rate:g}"
            )
        if self.plan.frozen_decoder:
            self.sae.W_dec.grad = None
        for group in self.adam.param_groups:
            group["lr"] = self.rate(self.done)
        self._clip()
        self.adam.step()
        self.adam.zero_grad()  # the next dictionary's gradients take their place
        self.silent += len(x)
        self.silent.masked_fill_(reading.fired, 0)
        if self.done == 0:
            hand_back()  # the optimiser's state was put among what this step took
        self.done += 1
        self.tokens += len(x)
        self._take_in(reading, target)

    def _clip(self) -> None:
        """Let the optimiser divide the gradients by what brings their norm to the bound.

        It divides as it reads them, where `clip_grad_norm_` would go over all of them once more:
        the same two fields by which PyTorch's gradient scaler hands its scale to a fused optimiser.
        """
        parameters = self.adam.param_groups[0]["params"]
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        self.adam.grad_scale = (norm / MOST_GRADIENT).clamp(min=1.0)  # type: ignore[attr-defined]
        self.adam.found_inf = torch.zeros_like(norm)  # type: ignore[attr-defined]

    def sparse_step(self, x: Tensor, target: Tensor, dead: Tensor) -> StepReading:
        """The loss and gradients of a kind that selects k features."""
        assert self.plan.k is not None
        return SparseStep(
            self.sae, self.plan.k, self.plan.kind != "topk", bool(self.coarse), self.skip
        )(x, target, dead)

    def choose_precision(self, values: Tensor, targets: Tensor) -> None:
        """Decide `auto` by trying both ways on one batch; nothing is learnt from it."""
        if self.coarse is not None or self.plan.kind not in SPARSE:
            return
        x = values * self.scale.factor
        target = x if not self.plan.is_transcoder else targets * self.target_scale.factor
        dead = torch.zeros_like(self.silent, dtype=torch.bool)
        seconds = {}
        for coarse in (True, False, True, False):  # each once to warm up
            self.coarse = coarse
            begin = perf_counter()
            self.sparse_step(x, target, dead)
            seconds[coarse] = perf_counter() - begin
        self.coarse = seconds[True] < seconds[False]
        self.adam.zero_grad()

    @torch.no_grad()
    def calibrate(self, values: Tensor, batch: int) -> None:
        """Find the threshold of a kind that selects over the batch, with the final weights.

        It is the mean, over batches of these values, of the least strength among the k · tokens
        largest. SAELens follows it during training, from 0 on by a hundredth a step, which is far
        too low after a few hundred steps: a dictionary of k = 32 then fires 117 times a token.

        Args:
            values: at the site, in the model's units, `[tokens, d_in]`.
            batch: tokens of a batch.
        """
        if self.plan.kind not in OVER_BATCH:
            return
        assert self.plan.k is not None
        sae, least = self.sae, []
        for part in torch.split(values, batch):
            x = part * self.scale.factor
            inputs = x - sae.b_dec if sae.cfg.apply_b_dec_to_input else x
            strengths = torch.addmm(sae.b_enc, inputs, sae.W_enc) * sae.W_dec.norm(dim=1)
            selected = strengths.relu_().flatten().topk(self.plan.k * len(x), sorted=False).values
            least.append(float(selected.min()))
        self.threshold = sum(least) / len(least)

    def rate(self, step: int) -> float:
        """The learning rate: up, level, and down to a tenth."""
        how = self.optimiser
        warm, fall = how.rate_warm_up * self.steps, how.rate_decay * self.steps
        up = min(1.0, (step + 1) / warm) if warm >= 1 else 1.0
        left = max(0.0, self.steps - step) / fall if fall >= 1 else 1.0
        return how.learning_rate * up * (LAST_RATE + (1 - LAST_RATE) * min(1.0, left))

    def _coefficients(self) -> dict[str, float]:
        """Of SAELens's penalties, each at its place in its warm-up."""
        found = {}
        for name, given in self.sae.get_coefficients().items():
            value = getattr(given, "value", given)
            warm = getattr(given, "warm_up_steps", 0)
            found[name] = float(value) * (min(1.0, self.done / warm) if warm else 1.0)
        return found

    def _take_in(self, reading: StepReading, target: Tensor) -> None:
        variance = float(torch.linalg.vector_norm(target - target.mean(dim=0)) ** 2)
        more = (
            reading.loss * len(target),
            reading.squared_error,
            variance,
            reading.firings,
            len(target),
        )
        self._sums = [total + new for total, new in zip(self._sums, more, strict=True)]

    def add_point(self) -> CurvePoint:
        """A point of the curve, over the batches since the last one."""
        loss, squares, variance, firings, tokens = self._sums
        dead = float((self.silent > self.optimiser.dead_after).float().mean())
        point = CurvePoint(
            self.tokens,
            loss / tokens,
            squares / variance if variance else 0.0,
            firings / tokens,
            dead,
        )
        self.curve.append(point)
        self._sums = [0.0] * 5
        return point

    def state(self) -> dict[str, Any]:
        """Everything that learning goes on from, for `torch.save`."""
        return {
            "sae": self.sae.state_dict(),
            "skip": self.skip,
            "adam": self.adam.state_dict(),
            "silent": self.silent,
            "coarse": self.coarse,
            "done": self.done,
            "tokens": self.tokens,
            "curve": [vars(point) for point in self.curve],
            "sums": self._sums,
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Take over a state that `state` gave."""
        with torch.no_grad():
            for name, tensor in self.sae.state_dict().items():
                tensor.copy_(state["sae"][name])
            if self.skip is not None:
                self.skip.copy_(state["skip"])
        self.adam.load_state_dict(state["adam"])
        self.silent.copy_(state["silent"])
        self.coarse, self.done, self.tokens = state["coarse"], state["done"], state["tokens"]
        self.curve = [CurvePoint(**point) for point in state["curve"]]
        self._sums = list(state["sums"])
