"""The learning rate of each step, as a pure function of the step."""

import math

from srlab.declare.study import Run


def learning_rate_at(step: int, run: Run) -> float:
    """The rate that step `step` (from 0) takes.

    - ``constant``: the run's rate;
    - ``step``: halved after each fraction of the run that `halve_at` names: of 10 steps and ``(0.5,)``,
      steps 0 to 4 take the whole rate and steps 5 to 9 half of it;
    - ``cosine``: half a cosine from the run's rate at step 0 to zero where the run ends (Loshchilov and
      Hutter, "SGDR", ICLR 2017, equation 5, without restarts).

    During a warm-up of n steps, step k takes (k + 1) / n of that (Goyal et al., "Accurate, Large Minibatch
    SGD", 2017, section 2.2, from zero).
    """
    protocol = run.protocol
    done = step / protocol.num_steps
    rate = run.learning_rate
    if protocol.schedule == "step":
        rate *= 0.5 ** sum(done >= fraction for fraction in protocol.halve_at)
    elif protocol.schedule == "cosine":
        rate = rate * (1 + math.cos(math.pi * done)) / 2
    if step < protocol.warmup_steps:
        rate *= (step + 1) / protocol.warmup_steps
    return rate
