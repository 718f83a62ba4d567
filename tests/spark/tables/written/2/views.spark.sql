-- Views over the tables of eoltag. Written anew by every run; also: python -m eoltag views OUTPUT
SET spark.sql.sources.partitionColumnTypeInference.enabled = false;

CREATE OR REPLACE TEMPORARY VIEW images USING parquet OPTIONS (path '/tmp/tmp97pmu1h5/out/images', mergeSchema 'true');

CREATE OR REPLACE TEMPORARY VIEW scores USING parquet OPTIONS (path '/tmp/tmp97pmu1h5/out/scores', mergeSchema 'true');

CREATE OR REPLACE TEMPORARY VIEW features USING parquet OPTIONS (path '/tmp/tmp97pmu1h5/out/features', mergeSchema 'true');

CREATE OR REPLACE TEMPORARY VIEW pixels USING parquet OPTIONS (path '/tmp/tmp97pmu1h5/out/pixels', mergeSchema 'true');

CREATE OR REPLACE TEMPORARY VIEW bundles USING parquet OPTIONS (path '/tmp/tmp97pmu1h5/out/bundles', mergeSchema 'true');

CREATE OR REPLACE TEMPORARY VIEW latest_images AS
SELECT * FROM (
  SELECT *, row_number() OVER (PARTITION BY eolMediaURL, dataObjectVersionID ORDER BY
    CASE WHEN outcome = 'ok' AND asked_at = settled_at THEN 0 ELSE 1 END,
    asked_at DESC, run_id DESC) AS age
  FROM (SELECT *, max(CASE WHEN outcome NOT IN ('connect', 'dns', 'server_error', 'throttled', 'timeout', 'tls') THEN asked_at END) OVER (PARTITION BY eolMediaURL, dataObjectVersionID) AS settled_at FROM images) AS answers
) AS aged WHERE age = 1;

CREATE OR REPLACE TEMPORARY VIEW predictions AS
SELECT i.eolMediaURL, i.dataObjectVersionID, CAST(NULL AS STRING) AS model_version, CAST(NULL AS STRING) AS engine, CAST(NULL AS STRING) AS source, CAST(NULL AS STRING) AS label, CAST(NULL AS FLOAT) AS confidence, CAST(NULL AS FLOAT) AS logit, CAST(NULL AS MAP<STRING, FLOAT>) AS scores, i.outcome, i.detail, i.http_status, i.attempts, i.width, i.height, i.color_mode, i.bytes, i.content_sha256, i.perceptual_hash, i.rendition, i.asked_at AS fetched_at, i.run_id
  FROM latest_images AS i
  WHERE outcome <> 'ok'
UNION ALL
SELECT i.eolMediaURL, i.dataObjectVersionID, s.model_version AS model_version, concat(s.engine, '-', s.precision) AS engine, s.source AS source, element_at(array('map', 'photo'), CAST(array_position(s.scores, array_max(s.scores)) AS INT)) AS label, element_at(transform(array(array_max(s.scores)), top -> CAST(1 / aggregate(s.scores, CAST(0 AS DOUBLE), (total, x) -> total + exp(CAST(x AS DOUBLE) / CAST(1.0 AS DOUBLE) - CAST(top AS DOUBLE) / CAST(1.0 AS DOUBLE))) AS FLOAT)), 1) AS confidence, array_max(s.scores) AS logit, map_from_arrays(array('map', 'photo'), element_at(transform(array(array_max(s.scores)), top -> element_at(transform(array(transform(s.scores, x -> exp(CAST(x AS DOUBLE) / CAST(1.0 AS DOUBLE) - CAST(top AS DOUBLE) / CAST(1.0 AS DOUBLE)))), powers -> element_at(transform(array(aggregate(powers, CAST(0 AS DOUBLE), (total, x) -> total + x)), total -> transform(powers, x -> CAST(x / total AS FLOAT))), 1)), 1)), 1)) AS scores, i.outcome, i.detail, i.http_status, i.attempts, i.width, i.height, i.color_mode, i.bytes, i.content_sha256, i.perceptual_hash, i.rendition, i.asked_at AS fetched_at, i.run_id
  FROM latest_images AS i
  JOIN scores AS s ON s.content_sha256 = i.content_sha256
  WHERE outcome = 'ok' AND s.model_version = '8051dad151ba';

CREATE OR REPLACE TEMPORARY VIEW tags USING parquet OPTIONS (path '/tmp/tmp97pmu1h5/out/tags', mergeSchema 'true');

CREATE OR REPLACE TEMPORARY VIEW run_documents (run_id STRING, job STRING, status STRING, started_at STRING, eoltag STRING, spark_master STRING, tasks MAP<STRING, STRING>, summary STRUCT<rows_in: BIGINT, ok: BIGINT, failed: MAP<STRING, BIGINT>, images_fetched: BIGINT, seconds: DOUBLE, images_per_s: DOUBLE>) USING json OPTIONS (path '/tmp/tmp97pmu1h5/out/runs', multiLine 'true', pathGlobFilter '*.json');

CREATE OR REPLACE TEMPORARY VIEW runs AS
SELECT run_id, job, status, CAST(started_at AS TIMESTAMP) AS started_at, map_keys(tasks) AS tasks,
  summary.rows_in AS rows_in, summary.ok AS ok, summary.failed AS failed, summary.images_fetched AS images_fetched, summary.seconds AS seconds, summary.images_per_s AS images_per_s, eoltag, spark_master FROM run_documents;
