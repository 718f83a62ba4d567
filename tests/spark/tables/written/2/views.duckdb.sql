-- Views over the tables of eoltag. Written anew by every run; also: python -m eoltag views OUTPUT
CREATE OR REPLACE VIEW images AS SELECT * FROM read_parquet('/tmp/tmp97pmu1h5/out/images/*.parquet', union_by_name = true, hive_partitioning = true, hive_types_autocast = false);

CREATE OR REPLACE VIEW scores AS SELECT * FROM read_parquet('/tmp/tmp97pmu1h5/out/scores/*/*.parquet', union_by_name = true, hive_partitioning = true, hive_types_autocast = false);

CREATE OR REPLACE VIEW features AS SELECT * FROM read_parquet('/tmp/tmp97pmu1h5/out/features/*/*.parquet', union_by_name = true, hive_partitioning = true, hive_types_autocast = false);

CREATE OR REPLACE VIEW pixels AS SELECT * FROM read_parquet('/tmp/tmp97pmu1h5/out/pixels/*.parquet', union_by_name = true, hive_partitioning = true, hive_types_autocast = false);

CREATE OR REPLACE VIEW bundles AS SELECT * FROM read_parquet('/tmp/tmp97pmu1h5/out/bundles/*/*.parquet', union_by_name = true, hive_partitioning = true, hive_types_autocast = false);

CREATE OR REPLACE VIEW latest_images AS
SELECT * FROM (
  SELECT *, row_number() OVER (PARTITION BY eolMediaURL, dataObjectVersionID ORDER BY
    CASE WHEN outcome = 'ok' AND asked_at = settled_at THEN 0 ELSE 1 END,
    asked_at DESC, run_id DESC) AS age
  FROM (SELECT *, max(CASE WHEN outcome NOT IN ('connect', 'dns', 'server_error', 'throttled', 'timeout', 'tls') THEN asked_at END) OVER (PARTITION BY eolMediaURL, dataObjectVersionID) AS settled_at FROM images) AS answers
) AS aged WHERE age = 1;

CREATE OR REPLACE VIEW predictions AS
SELECT i.eolMediaURL, i.dataObjectVersionID, CAST(NULL AS VARCHAR) AS model_version, CAST(NULL AS VARCHAR) AS engine, CAST(NULL AS VARCHAR) AS source, CAST(NULL AS VARCHAR) AS label, CAST(NULL AS FLOAT) AS confidence, CAST(NULL AS FLOAT) AS logit, CAST(NULL AS MAP(VARCHAR, FLOAT)) AS scores, i.outcome, i.detail, i.http_status, i.attempts, i.width, i.height, i.color_mode, i.bytes, i.content_sha256, i.perceptual_hash, i.rendition, i.asked_at AS fetched_at, i.run_id
  FROM latest_images AS i
  WHERE outcome <> 'ok'
UNION ALL
SELECT i.eolMediaURL, i.dataObjectVersionID, s.model_version AS model_version, concat(s.engine, '-', s.precision) AS engine, s.source AS source, ['map', 'photo'][list_position(s.scores, list_max(s.scores))] AS label, CAST(1 / list_sum(list_transform(s.scores, lambda x: exp(CAST(x AS DOUBLE) / CAST(1.0 AS DOUBLE) - CAST(list_max(s.scores) AS DOUBLE) / CAST(1.0 AS DOUBLE)))) AS FLOAT) AS confidence, list_max(s.scores) AS logit, map(['map', 'photo'], list_transform(list_transform(s.scores, lambda x: exp(CAST(x AS DOUBLE) / CAST(1.0 AS DOUBLE) - CAST(list_max(s.scores) AS DOUBLE) / CAST(1.0 AS DOUBLE))), lambda power: CAST(power / list_sum(list_transform(s.scores, lambda x: exp(CAST(x AS DOUBLE) / CAST(1.0 AS DOUBLE) - CAST(list_max(s.scores) AS DOUBLE) / CAST(1.0 AS DOUBLE)))) AS FLOAT))) AS scores, i.outcome, i.detail, i.http_status, i.attempts, i.width, i.height, i.color_mode, i.bytes, i.content_sha256, i.perceptual_hash, i.rendition, i.asked_at AS fetched_at, i.run_id
  FROM latest_images AS i
  JOIN scores AS s ON s.content_sha256 = i.content_sha256
  WHERE outcome = 'ok' AND s.model_version = '8051dad151ba';

CREATE OR REPLACE VIEW tags AS SELECT * FROM read_parquet('/tmp/tmp97pmu1h5/out/tags/*/*.parquet', union_by_name = true, hive_partitioning = true, hive_types_autocast = false);

CREATE OR REPLACE VIEW run_documents AS SELECT * FROM read_json('/tmp/tmp97pmu1h5/out/runs/*.json', columns = {run_id: 'VARCHAR', job: 'VARCHAR', status: 'VARCHAR', started_at: 'VARCHAR', eoltag: 'VARCHAR', spark_master: 'VARCHAR', tasks: 'MAP(VARCHAR, VARCHAR)', summary: 'STRUCT(rows_in BIGINT, ok BIGINT, failed MAP(VARCHAR, BIGINT), images_fetched BIGINT, seconds DOUBLE, images_per_s DOUBLE)'}, format = 'unstructured');

CREATE OR REPLACE VIEW runs AS
SELECT run_id, job, status, CAST(started_at AS TIMESTAMP) AS started_at, map_keys(tasks) AS tasks,
  summary.rows_in AS rows_in, summary.ok AS ok, summary.failed AS failed, summary.images_fetched AS images_fetched, summary.seconds AS seconds, summary.images_per_s AS images_per_s, eoltag, spark_master FROM run_documents;
