"""Tables, plots and pages of what the others computed."""
