#!/usr/bin/env bash
# DuckDB 2.0.1 cannot read float16 columns that Parquet stores as BYTE_STREAM_SPLIT.
#
# The encoding is allowed for FIXED_LEN_BYTE_ARRAY, which float16 is stored as, since version 2.11 of the Parquet
# format; pyarrow 26 writes and reads it, and DuckDB reads it for float32. Activations kept in half precision, split
# so that they compress, open in pandas and fail in DuckDB: "BYTE_STREAM_SPLIT encoding is only supported
# for FLOAT, DOUBLE, INT32 or INT64 data". What only needs the column's statistics (max, count) still answers, so that
# a first look does not tell. With PLAIN the same column is read, and zstd makes it as small to within half a percent.
#
# FaultLens stores float16 activations as PLAIN (docs/store.md).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    duckdb==2.0.1 pyarrow==26.0.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

values = np.linspace(0.5, 8.0, 1000).astype(np.float16)
expected = float(values.astype(np.float64).sum())
for kind, encoding in (("float32", "BYTE_STREAM_SPLIT"), ("float16", "BYTE_STREAM_SPLIT"), ("float16", "PLAIN")):
    table = pa.table({"activation": pa.array(values.astype(kind))})
    pq.write_table(table, "a.parquet", use_dictionary=False, column_encoding={"activation": encoding})
    encodings = pq.read_metadata("a.parquet").row_group(0).column(0).encodings
    assert encoding in encodings, encodings
    assert (pq.read_table("a.parquet")["activation"].to_numpy() == values).all()
    try:
        (found,) = duckdb.execute("SELECT sum(activation::DOUBLE) FROM 'a.parquet'").fetchone()
        assert abs(found - expected) < 1e-6, (found, expected)
        seen = "read"
    except duckdb.Error as error:
        seen = str(error).splitlines()[0]
    print(f"{kind} as {encoding}: DuckDB {duckdb.__version__}: {seen}")
    if (kind, encoding) == ("float16", "BYTE_STREAM_SPLIT"):
        assert "only supported for FLOAT" in seen, "DuckDB reads it now"
    else:
        assert seen == "read", seen
PYTHON
