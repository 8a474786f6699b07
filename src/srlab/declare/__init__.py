"""What a study is: variants, protocols, objectives and losses, as values."""
