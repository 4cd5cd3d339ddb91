import { App, AppProps, DefaultStackSynthesizer, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as s3 from 'aws-cdk-lib/aws-s3';

import { OktaTwilioStack } from '../bin/stack';
import * as settings from '../cdk.json';

/** The app's stack for these parameters of the SAM template, named `example`, with code that is already in S3. */
export function stackFor(parameters: Record<string, string>, props?: AppProps): OktaTwilioStack {
  const app = new App({ ...props, analyticsReporting: false, context: { ...settings.context, 'aws:cdk:enable-path-metadata': true } });
  const code = lambda.Code.fromBucketV2(s3.Bucket.fromBucketName(new Stack(), 'Zips', 'bucket'), 'key');
  const synthesizer = new DefaultStackSynthesizer({ generateBootstrapVersionRule: false });
  return new OktaTwilioStack(app, 'example', { telephony: code, event: code }, (name) => parameters[name] || undefined, { synthesizer });
}

export function synthesise(parameters: Record<string, string>): Template {
  return Template.fromStack(stackFor(parameters));
}
