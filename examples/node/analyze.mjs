// Analyzes a file, or an s3:// address, with an endpoint: node analyze.mjs ENDPOINT_NAME MEDIA
// Prints the report; exit code 3 when the media cannot be analyzed, 4 when the call failed.
import { readFile } from "node:fs/promises";
import { InvokeEndpointCommand, SageMakerRuntimeClient } from "@aws-sdk/client-sagemaker-runtime";

const [endpointName, media] = process.argv.slice(2);
if (!endpointName || !media) {
  console.error("usage: node analyze.mjs ENDPOINT_NAME MEDIA");
  process.exit(2);
}
// Region, credentials and AWS_ENDPOINT_URL come from the environment, as in every AWS SDK.
const client = new SageMakerRuntimeClient({ maxAttempts: 4 });
const address = media.startsWith("s3://");
try {
  const answer = await client.send(
    new InvokeEndpointCommand({
      EndpointName: endpointName,
      ContentType: address ? "application/json" : "application/octet-stream",
      Accept: "application/json",
      Body: address ? JSON.stringify({ uri: media }) : await readFile(media),
    }),
    { abortSignal: AbortSignal.timeout(65_000) },
  );
  const report = JSON.parse(new TextDecoder().decode(answer.Body));
  for (const finding of report.findings) {
    console.error(`${finding.start_timecode ?? finding.start_s} ${finding.defect} ${finding.severity}`);
  }
  console.log(JSON.stringify(report));
} catch (error) {
  if (error.name !== "ModelError") {
    console.error(`${error.name}: ${error.message}`);
    process.exit(4);
  }
  // What the endpoint itself said: {"error": {"code", "message", "request_id"}}.
  const said = JSON.parse(error.OriginalMessage || "{}").error ?? {};
  console.error(`${said.code ?? "model_error"}: ${said.message ?? error.message} (request ${error.$metadata.requestId})`);
  process.exit(error.OriginalStatusCode >= 400 && error.OriginalStatusCode < 500 ? 3 : 4);
}
