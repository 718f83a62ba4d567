"""The jobs: tag, decide, report, diff, compact."""
