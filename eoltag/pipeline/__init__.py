"""The stages inside one Spark task, in order: fetch, decode, predict."""
