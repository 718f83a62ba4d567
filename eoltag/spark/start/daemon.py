"""Spark's parent of all Python workers, with what they need imported once: spark.python.daemon.module in local.conf.

Workers are forks of it, so each starts with these modules at hand. Only modules that start no threads belong here.
"""

import gc

import pandas  # noqa: F401
import pyarrow  # noqa: F401
from pyspark.daemon import manager

import eoltag.spark.predict.tagging  # noqa: F401

if __name__ == "__main__":
    gc.freeze()  # the workers' garbage collectors would go through all this, and copy its pages
    manager()
