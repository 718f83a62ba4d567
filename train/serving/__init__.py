"""`serve`: one model package behind HTTP. uploads -> admission -> batching -> answers, put together in application."""
