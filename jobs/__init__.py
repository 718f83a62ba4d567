"""spark-submit entry points: arguments to settings to eoltag, nothing else."""
