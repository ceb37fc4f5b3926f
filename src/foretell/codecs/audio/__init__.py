"""Sound: PCM samples and their containers, prediction, mixed distributions, coding."""
