"""What the commands for audio files do; `anmf.cli` reads their options."""
