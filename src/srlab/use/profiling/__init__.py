"""What a variant costs where it runs: time and memory, measured side by side.

- `targets`: which networks a path or a name means
- `measuring`: what is measured in which order, and what is said before
- `worker`: a process of its own, which does one measurement when it is told to
"""
