/**
 * The stack as `make deploy-cdk` deploys it. Each parameter of the SAM template is a context value:
 *
 *     npx cdk deploy -c AllowedCountries=US,CA -c AlarmEmail=on-call@example.com
 *
 * `-c StackName=` names the stack (okta-twilio), `-c Zips=` the folder with the functions' zips (target/lambda).
 */
import { join } from 'node:path';

import { App } from 'aws-cdk-lib';
import * as lambda from 'aws-cdk-lib/aws-lambda';

import { OktaTwilioStack } from './stack';

export function newApp(): App {
  const app = new App({ analyticsReporting: false });
  const read = new Set<string>();
  const get = (name: string): string | undefined => {
    read.add(name);
    const value: unknown = app.node.tryGetContext(name);
    return value === undefined || value === '' ? undefined : String(value);
  };
  const zips = get('Zips') ?? join(__dirname, '../../../../target/lambda');
  const zip = (hook: string) => lambda.Code.fromAsset(join(zips, hook, 'bootstrap.zip'));
  const hooks = get('Hooks') ?? 'both';
  const code = {
    telephony: hooks === 'events' ? undefined : zip('telephony-hook'),
    event: hooks === 'telephony' ? undefined : zip('event-hook'),
  };
  new OktaTwilioStack(app, get('StackName') ?? 'okta-twilio', code, get, {
    description: "Okta's telephony inline hook and event hook, served through Twilio Verify (okta-twilio)",
  });
  // CloudFormation refuses a misspelt parameter. CDK would ignore it, and deploy a stack without the wanted rule.
  const unread = Object.keys(app.node.getAllContext()).filter((name) => /^[A-Z]/.test(name) && !read.has(name));
  if (unread.length) {
    throw new Error(`no such parameter, or without effect here: ${unread.join(', ')}`);
  }
  return app;
}

if (require.main === module) {
  newApp();
}
