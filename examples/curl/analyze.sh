#!/bin/sh
# Analyzes a file with an endpoint, with nothing but curl: analyze.sh ENDPOINT_NAME MEDIA [TYPE]
#
# Takes credentials from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for temporary ones,
# AWS_SESSION_TOKEN; the region from AWS_REGION. They go through a private file, never through the
# command line, which other users of the machine can read.
set -eu
endpoint=$1
media=$2
type=${3:-application/octet-stream}
region=${AWS_REGION:?set AWS_REGION}
: "${AWS_ACCESS_KEY_ID:?set AWS_ACCESS_KEY_ID}" "${AWS_SECRET_ACCESS_KEY:?set AWS_SECRET_ACCESS_KEY}"
base=${AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME:-${AWS_ENDPOINT_URL:-https://runtime.sagemaker.$region.amazonaws.com}}

umask 077
settings=$(mktemp)
trap 'rm -f "$settings"' EXIT
{
  printf 'user = "%s:%s"\n' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY"
  printf 'aws-sigv4 = "aws:amz:%s:sagemaker"\n' "$region"
  if [ -n "${AWS_SESSION_TOKEN:-}" ]; then
    printf 'header = "X-Amz-Security-Token: %s"\n' "$AWS_SESSION_TOKEN"
  fi
} > "$settings"

curl --config "$settings" --silent --show-error --fail-with-body --max-time 65 \
  --header "Content-Type: $type" \
  --header "Accept: application/json" \
  --data-binary "@$media" \
  "$base/endpoints/$endpoint/invocations"
