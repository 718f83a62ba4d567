"""An Airflow 3 DAG: every night at 02:30, tag new and changed images.

Put it into the dags folder and change PROJECT: the folder, on the machine of the worker, with conf/jobs/retag.toml and
the virtual environment .venv that eoltag is installed in. The worker needs Java.
A run that failed is tried twice more: what was committed stays, so another try goes on from there. Exit code 3 (more
images failed than max_failure_rate allows) fails the task like any other.
"""

from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

PROJECT = "/srv/eoltag"
COMMAND = ".venv/bin/eoltag tag --config conf/jobs/retag.toml"

with DAG(
    dag_id="eoltag_retag",
    description="Tag new and changed EOL images",
    schedule="30 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=15)},
    tags=["eoltag"],
) as dag:
    BashOperator(task_id="tag_bundles", bash_command=COMMAND, cwd=PROJECT)
