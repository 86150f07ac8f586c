"""What an export is worth: accuracy beside the float model, and where a scheme loses it."""
