"""Training one run: the loop, its updates, the learning rate, the device, and what is logged."""
