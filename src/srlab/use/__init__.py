"""What a trained network is used for: scoring, upscaling, profiling."""
