"""Publications on Spark: what is compared before a switch, what is written, and the switch."""
