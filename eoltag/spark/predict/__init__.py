"""The pass over images on Spark: plan, waves, tasks."""
