"""The Spark session, its JVM, progress, and the command line of the jobs."""
