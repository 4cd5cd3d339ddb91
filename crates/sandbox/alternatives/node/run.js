#!/usr/bin/env node
// Runs the public Twilio sample's `functions/send-otp.js` as a Lambda function: what Twilio's own runtime gives the
// handler, on Lambda's Runtime API. NODE_SAMPLE is the sample's folder, with `twilio` installed in it.
"use strict";

const http = require("node:http");
const path = require("node:path");

const env = process.env;
const sample = env.NODE_SAMPLE;
const twilio = require(path.join(sample, "node_modules/twilio"));
const { handler } = require(path.join(sample, "functions/send-otp.js"));

// The sample calls verify.twilio.com; here that is the stand-in.
class StandIn extends twilio.RequestClient {
  request(options) {
    return super.request({ ...options, uri: options.uri.replace("https://verify.twilio.com", env.TWILIO_VERIFY_URL) });
  }
}

const context = {
  auth_secret: env.BENCH_AUTH_SECRET,
  VERIFY_SID: env.VERIFY_SERVICE_SID,
  getTwilioClient: () => twilio(env.BENCH_ACCOUNT_SID, env.BENCH_AUTH_TOKEN, { httpClient: new StandIn() }),
};

const agent = new http.Agent({ keepAlive: true });
const call = (method, place, body) =>
  new Promise((resolve, reject) => {
    const url = `http://${env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation/${place}`;
    const request = http.request(url, { method, agent }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ headers: response.headers, text: Buffer.concat(chunks).toString() }));
    });
    request.on("error", reject);
    request.end(body);
  });

const answer = (event) =>
  new Promise((resolve, reject) => {
    const request = { ...JSON.parse(event.body), request: { headers: event.headers } };
    handler(context, request, (error, body) => (error ? reject(error) : resolve({ statusCode: 200, body: JSON.stringify(body) })));
  });

(async () => {
  for (;;) {
    const { headers, text } = await call("GET", "next");
    const body = JSON.stringify(await answer(JSON.parse(text)));
    await call("POST", `${headers["lambda-runtime-aws-request-id"]}/response`, body);
  }
})();
