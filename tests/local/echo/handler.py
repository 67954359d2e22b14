"""A model that needs no weights: it does what the body says, and answers upper-cased otherwise."""

import json
import os
import time


class Echo:
    def initialize(self, context):
        if os.environ.get("ECHO_FAILS_TO_LOAD"):
            raise RuntimeError("weights are missing")

    def handle(self, rows, context):
        answers = []
        for index, row in enumerate(rows):
            headers = {k.lower(): v for k, v in context.get_all_request_header(index).items()}
            body = bytes(row.get("body") or row.get("data") or b"")
            context.set_response_content_type(index, headers.get("accept") or "text/plain")
            answers.append(self.answer(body, headers, context, index))
        return answers

    def answer(self, body, headers, context, index):
        if headers.get("content-type") == "application/jsonlines":
            records = [json.loads(line) for line in body.splitlines()]
            return b"\n".join(json.dumps({"seen": r, "of": len(records)}).encode() for r in records)
        command, _, argument = body.decode("latin-1").strip().partition(" ")
        if command == "sleep":
            time.sleep(float(argument))
            return b"slept"
        if command == "headers":
            return json.dumps(headers, default=str)
        if command == "env":
            return os.environ.get(argument, "")
        if command == "pid":
            return str(os.getpid())
        if command == "large":
            return b"x" * int(argument)
        if command == "die":
            os._exit(1)
        if command == "die-once":
            marker = os.path.join(os.environ["TMPDIR"], argument)
            if not os.path.exists(marker):
                with open(marker, "w"):
                    pass
                os._exit(1)
            return b"survived"
        if command == "refuse":
            status = int(argument)
            context.set_response_status(code=status, phrase="refused", idx=index)
            context.set_response_content_type(index, "application/json")
            return json.dumps({"error": {"code": "refused", "message": "as asked"}})
        if command == "read":
            import boto3

            bucket, key = argument.removeprefix("s3://").split("/", 1)
            return boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return body.upper()
