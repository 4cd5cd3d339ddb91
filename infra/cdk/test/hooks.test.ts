import assert = require('node:assert/strict');
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { App, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { AwsSolutionsChecks, ServerlessChecks } from 'cdk-nag';

import { newApp } from '../bin/app';
import { OktaTwilioHooks, OktaTwilioHooksProps } from '../lib';
import * as settings from '../cdk.json';
import { stackFor, synthesise } from './synthesise';

const JWT = { AuthMode: 'jwt', JwtIssuer: 'https://example.okta.com/oauth2/aus1', JwtAudience: 'telephony', JwtScope: 'send' };

function withProps(props: Partial<OktaTwilioHooksProps>): Template {
  const stack = new Stack(new App());
  const code = lambda.Code.fromBucketV2(s3.Bucket.fromBucketName(stack, 'Zips', 'bucket'), 'key');
  new OktaTwilioHooks(stack, 'Hooks', { code: { telephony: code, event: code }, ...props });
  return Template.fromStack(stack);
}

test('a telephony stack has no queue, no event-hook and no route for events', () => {
  const template = withProps({ hooks: 'telephony' });
  template.resourceCountIs('AWS::SQS::Queue', 0);
  template.resourceCountIs('AWS::ApiGatewayV2::Route', 1);
  template.hasResourceProperties('AWS::ApiGatewayV2::Route', { RouteKey: 'POST /telephony', AuthorizationType: 'NONE' });
});

test('the scope of a token is required by the gateway and known to the function', () => {
  const template = withProps({ jwt: { issuer: JWT.JwtIssuer, audience: 'telephony', scope: 'send' } });
  template.hasResourceProperties('AWS::ApiGatewayV2::Route', { AuthorizationType: 'JWT', AuthorizationScopes: ['send'] });
  template.hasResourceProperties('AWS::Lambda::Function', {
    Environment: { Variables: Match.objectLike({ AUTH_MODE: 'jwt', JWT_SCOPE: 'send' }) },
  });
});

test('what holds data stays when the stack goes', () => {
  const template = withProps({});
  for (const type of ['AWS::SecretsManager::Secret', 'AWS::DynamoDB::Table', 'AWS::SQS::Queue']) {
    template.allResources(type, { DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
  }
});

test('a changed setting makes a new version of the function that reads it, and of no other', () => {
  const versions = (props: Partial<OktaTwilioHooksProps>) => Object.keys(withProps(props).findResources('AWS::Lambda::Version')).sort();
  const [event, telephony] = versions({});
  const [eventAfter, telephonyAfter] = versions({ allowedCountries: ['US'] });
  assert.equal(eventAfter, event);
  assert.notEqual(telephonyAfter, telephony);
});

test('a secret that is known by a part of its ARN can be read', () => {
  const stack = new Stack(new App());
  const code = lambda.Code.fromBucketV2(s3.Bucket.fromBucketName(stack, 'Zips', 'bucket'), 'key');
  const partial = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:hooks';
  new OktaTwilioHooks(stack, 'Hooks', {
    code: { telephony: code },
    hooks: 'telephony',
    hooksSecret: secretsmanager.Secret.fromSecretPartialArn(stack, 'Secret', partial),
  });
  Template.fromStack(stack).hasResourceProperties('AWS::IAM::Role', {
    Policies: [
      {
        PolicyDocument: {
          Statement: Match.arrayWith([Match.objectLike({ Action: 'secretsmanager:GetSecretValue', Resource: `${partial}-??????` })]),
        },
      },
    ],
  });
});

test('what the SAM template refuses is refused', () => {
  const refusals: [Partial<OktaTwilioHooksProps>, RegExp][] = [
    [{ hooks: 'events' }, /needs okta, or the sendsTable/],
    [{ code: {} }, /code.telephony is missing; code.event is missing/],
    [{ phoneSource: 'profile' }, /phoneSource needs okta/],
    [{ monthlyBudgetUsd: 50 }, /needs alarmEmail or alarmTopic/],
    [{ maxProvisionedConcurrency: 5 }, /needs provisionedConcurrency/],
  ];
  for (const [props, message] of refusals) {
    assert.throws(() => withProps(props), message);
  }
  assert.throws(() => synthesise({ OktaOrgUrl: 'https://example.okta.com' }), /OktaOrgUrl needs OktaSecretId/);
  assert.throws(() => synthesise({ AuthMode: 'jwt', JwtIssuer: 'https://example.okta.com' }), /AuthMode=jwt needs JwtAudience/);
  assert.throws(() => synthesise({ CertificateArn: 'arn:aws:acm:eu-west-1:123456789012:certificate/1' }), /needs DomainName/);
});

test('the app refuses a parameter that nothing reads, as CloudFormation does', (context) => {
  const zips = mkdtempSync(join(tmpdir(), 'zips-'));
  context.after(() => {
    delete process.env.CDK_CONTEXT_JSON;
    rmSync(zips, { recursive: true });
  });
  for (const hook of ['telephony-hook', 'event-hook']) {
    mkdirSync(join(zips, hook));
    writeFileSync(join(zips, hook, 'bootstrap.zip'), '');
  }
  const appWith = (parameters: Record<string, string>) => {
    process.env.CDK_CONTEXT_JSON = JSON.stringify({ ...settings.context, Zips: zips, ...parameters });
    return newApp();
  };
  appWith({ StackName: 'example', Architecture: 'x86_64', AllowedCountries: 'US' });
  assert.throws(() => appWith({ AllowedCountrys: 'US' }), /no such parameter.*: AllowedCountrys$/);
  assert.throws(() => appWith({ JwtScope: 'send' }), /without effect here: JwtScope$/);
});

test('two in one stack are refused, as their metrics would add up', () => {
  const stack = new Stack(new App());
  const code = lambda.Code.fromBucketV2(s3.Bucket.fromBucketName(stack, 'Zips', 'bucket'), 'key');
  new OktaTwilioHooks(stack, 'One', { code: { telephony: code, event: code } });
  assert.throws(() => new OktaTwilioHooks(stack, 'Two', { code: { telephony: code, event: code } }), /one to a stack/);
});

const CHECKED: Record<string, Record<string, string>> = { default: {}, jwt: JWT, 'with a topic': { AlarmEmail: 'on-call@example.com' } };
for (const [mode, parameters] of Object.entries(CHECKED)) {
  test(`cdk-nag finds nothing that is not acknowledged next to its resource: ${mode}`, () => {
    const stack = stackFor(parameters);
    const app = stack.node.root as App;
    const violations = [new AwsSolutionsChecks(app), new ServerlessChecks(app)].flatMap((pack) => pack.validateScope(app).violations);
    const found = violations.flatMap((each) => each.violatingResources.map((resource) => `${each.ruleName}: ${resource.constructPath}`));
    assert.deepEqual(found, []);
  });
}
