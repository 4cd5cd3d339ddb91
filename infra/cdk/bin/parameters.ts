import { Duration } from 'aws-cdk-lib';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as codedeploy from 'aws-cdk-lib/aws-codedeploy';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as route53 from 'aws-cdk-lib/aws-route53';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';

import { Hooks, OktaTwilioHooksProps } from '../lib';

/** The value of a parameter of the SAM template, or `undefined` where it is not set or blank. */
export type Parameters = (name: string) => string | undefined;

/**
 * The construct's properties for the parameters of the SAM template, so that `cdk deploy -c AllowedCountries=US,CA` does
 * what `sam deploy --parameter-overrides AllowedCountries=US,CA` does. Imported resources are made in `scope`.
 */
export function propsFor(scope: Construct, get: Parameters, code: OktaTwilioHooksProps['code']): OktaTwilioHooksProps {
  const list = (name: string) => get(name)?.split(',').map((each) => each.trim());
  const number = (name: string) => (get(name) === undefined ? undefined : Number(get(name)));
  const flag = (name: string) => (get(name) === undefined ? undefined : get(name) === 'true');
  const given = <T>(name: string, make: (value: string) => T) => (get(name) === undefined ? undefined : make(get(name)!));
  const throttle = (name: string) => ({
    rateLimit: number(`${name}RateLimit`) ?? 25,
    burstLimit: number(`${name}BurstLimit`) ?? 50,
  });
  const needed = (name: string, by: string) => {
    const value = get(name);
    if (value === undefined) {
      throw new Error(`${by} needs ${name}`);
    }
    return value;
  };
  for (const [name, need] of [
    ['OktaSecretId', 'OktaOrgUrl'],
    ['OktaApiUrl', 'OktaOrgUrl'],
    ['CertificateArn', 'DomainName'],
    ['HostedZoneId', 'DomainName'],
  ]) {
    given(name, () => needed(need, name));
  }
  return {
    code,
    hooks: get('Hooks') as Hooks | undefined,
    architecture: given('Architecture', (name) => lambda.Architecture.custom(name)),
    memorySize: number('MemorySize'),
    deploymentConfig: given('DeploymentType', (type) =>
      codedeploy.LambdaDeploymentConfig.fromLambdaDeploymentConfigName(scope, 'DeploymentType', `CodeDeployDefault.Lambda${type}`),
    ),
    rollBackOnAlarms: flag('RollBackOnAlarms'),
    hooksSecret: given('HooksSecretId', (arn) => secretsmanager.Secret.fromSecretCompleteArn(scope, 'HooksSecretId', arn)),
    secretTtl: given('SecretTtlSeconds', (seconds) => Duration.seconds(Number(seconds))),
    encryptionKey: given('KmsKeyArn', (arn) => kms.Key.fromKeyArn(scope, 'KmsKeyArn', arn)),
    secretsEncryptionKey: given('SecretsKmsKeyArn', (arn) => kms.Key.fromKeyArn(scope, 'SecretsKmsKeyArn', arn)),
    jwt:
      get('AuthMode') === 'jwt'
        ? {
            issuer: needed('JwtIssuer', 'AuthMode=jwt'),
            audience: needed('JwtAudience', 'AuthMode=jwt'),
            scope: needed('JwtScope', 'AuthMode=jwt'),
            clientId: get('JwtClientId'),
          }
        : undefined,
    authHeader: get('AuthHeader'),
    verifyServiceSid: get('VerifyServiceSid'),
    smsChannel: get('SmsChannel') as OktaTwilioHooksProps['smsChannel'],
    verifyLocale: get('VerifyLocale'),
    verifyTemplateSid: get('VerifyTemplateSid'),
    verifyRateLimits: given('VerifyRateLimits', (limits) =>
      Object.fromEntries(limits.split(',').map((each) => each.trim().split('='))),
    ),
    countryRules: given('CountryRules', (rules) => JSON.parse(rules)),
    resendChannels: list('ResendChannels') as OktaTwilioHooksProps['resendChannels'],
    replacePending: flag('ReplacePending'),
    hookBudget: given('HookBudgetMs', (milliseconds) => Duration.millis(Number(milliseconds))),
    policyMode: get('PolicyMode') as OktaTwilioHooksProps['policyMode'],
    denyResponse: get('DenyResponse') as OktaTwilioHooksProps['denyResponse'],
    allowedCountries: list('AllowedCountries'),
    blockedCountries: list('BlockedCountries'),
    lookupFields: list('LookupFields'),
    lookupTimeout: given('LookupTimeoutMs', (milliseconds) => Duration.millis(Number(milliseconds))),
    defaultCountry: get('DefaultCountry'),
    blockedLineTypes: list('BlockedLineTypes'),
    blockedCarriers: list('BlockedCarriers'),
    maxSmsPumpingRisk: number('MaxSmsPumpingRisk'),
    maxSimSwapAge: given('MaxSimSwapAgeHours', (hours) => Duration.hours(Number(hours))),
    landlineToCall: flag('LandlineToCall'),
    policyExemptRequestTypes: list('PolicyExemptRequestTypes'),
    sendsTable: given('SendsTable', (name) => dynamodb.Table.fromTableName(scope, 'SendsTable', name)),
    feedbackQueue: given('FeedbackQueueUrl', (url) => url !== 'none'),
    feedbackMaxAge: given('FeedbackMaxAgeSeconds', (seconds) => Duration.seconds(Number(seconds))),
    phoneSource: get('PhoneSource') as OktaTwilioHooksProps['phoneSource'],
    okta: given('OktaOrgUrl', (orgUrl) => ({
      orgUrl,
      secret: secretsmanager.Secret.fromSecretCompleteArn(scope, 'OktaSecretId', needed('OktaSecretId', 'OktaOrgUrl')),
      apiUrl: get('OktaApiUrl'),
    })),
    telephonyThrottle: throttle('Telephony'),
    eventsThrottle: throttle('Events'),
    domain: given('DomainName', (name) => ({
      name,
      certificate: acm.Certificate.fromCertificateArn(scope, 'CertificateArn', needed('CertificateArn', 'DomainName')),
      hostedZone: given('HostedZoneId', (id) => route53.HostedZone.fromHostedZoneId(scope, 'HostedZoneId', id)),
    })),
    provisionedConcurrency: number('ProvisionedConcurrency'),
    maxProvisionedConcurrency: number('MaxProvisionedConcurrency'),
    telephonyReservedConcurrency: number('TelephonyReservedConcurrency'),
    eventReservedConcurrency: number('EventReservedConcurrency'),
    feedbackConcurrency: number('FeedbackConcurrency'),
    alarmEmail: get('AlarmEmail'),
    alarmTopic: given('AlarmTopicArn', (arn) => sns.Topic.fromTopicArn(scope, 'AlarmTopicArn', arn)),
    monthlyBudgetUsd: number('MonthlyBudgetUsd'),
    logLevel: get('LogLevel') as OktaTwilioHooksProps['logLevel'],
    logRetention: number('LogRetentionDays'),
    metricsStack: get('MetricsStack'),
    twilioVerifyUrl: get('TwilioVerifyUrl'),
    twilioLookupUrl: get('TwilioLookupUrl'),
    extraCaFile: get('ExtraCaFile'),
    extraCaLayer: given('ExtraCaLayerArn', (arn) => lambda.LayerVersion.fromLayerVersionArn(scope, 'ExtraCaLayerArn', arn)),
  };
}
