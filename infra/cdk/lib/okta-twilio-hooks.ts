import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Aws, CfnMapping, Duration, Fn, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigatewayv2';
import * as autoscaling from 'aws-cdk-lib/aws-applicationautoscaling';
import * as budgets from 'aws-cdk-lib/aws-budgets';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as actions from 'aws-cdk-lib/aws-cloudwatch-actions';
import * as codedeploy from 'aws-cdk-lib/aws-codedeploy';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as route53 from 'aws-cdk-lib/aws-route53';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import * as sns from 'aws-cdk-lib/aws-sns';
import * as subscriptions from 'aws-cdk-lib/aws-sns-subscriptions';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

import { addAlarms, Part } from './alarms';
import { check, OktaTwilioHooksProps, ThrottleProps } from './props';
import { QUERIES } from './queries';
import { Deployed, eventVariables, telephonyVariables, Variables } from './variables';

/** The gateway's access log format, without headers and bodies. `function_request_id` joins a line to the function's own log. */
const ACCESS_LOG = {
  time: '$context.requestTime',
  request_id: '$context.requestId',
  function_request_id: '$context.integration.requestId',
  route: '$context.routeKey',
  status: '$context.status',
  milliseconds: '$context.responseLatency',
  function_milliseconds: '$context.integrationLatency',
  integration_error: '$context.integrationErrorMessage',
  authorizer_error: '$context.authorizer.error',
  source_ip: '$context.identity.sourceIp',
};
const DEFAULT_THROTTLE: ThrottleProps = { rateLimit: 25, burstLimit: 50 };

/** A function behind its alias `live`. */
interface Hook {
  readonly function: lambda.Function;
  readonly alias: lambda.Alias;
}

/**
 * Okta's telephony inline hook and event hook, served through Twilio Verify: the stack of the SAM template as a construct.
 *
 * It creates an HTTP API, one function for each hook behind an alias with gradual deployments, a secret for your Twilio
 * credentials (until it has them, the hooks respond with 503), a table, a queue with a dead-letter queue, alarms, a dashboard and saved queries.
 * The secret, the table, the queues and the logs are retained when the stack is deleted.
 *
 * Use one construct per stack, because metrics and queries carry the stack's name.
 */
export class OktaTwilioHooks extends Construct {
  /** URL of Okta's telephony inline hook, unless `hooks` is `events`. */
  readonly telephonyUrl?: string;
  /** URL of Okta's event hook, unless `hooks` is `telephony`. */
  readonly eventsUrl?: string;
  /** The hooks secret, created or imported. */
  readonly hooksSecret: secretsmanager.ISecret;
  /** The sends table, created or imported. */
  readonly sendsTable?: dynamodb.ITable;
  readonly feedbackQueue?: sqs.Queue;
  readonly feedbackDeadLetterQueue?: sqs.Queue;
  /** telephony-hook behind its alias `live`. */
  readonly telephonyAlias?: lambda.Alias;
  /** event-hook behind its alias `live`. */
  readonly eventAlias?: lambda.Alias;
  readonly telephonyLogGroup?: logs.LogGroup;
  readonly eventLogGroup?: logs.LogGroup;
  /** The alarms by their ids, such as `SendFailuresAlarm`. */
  readonly alarms: ReadonlyMap<string, cloudwatch.Alarm>;
  /** The topic for the alarms, created or imported. */
  readonly alarmTopic?: sns.ITopic;

  private readonly api: apigateway.CfnApi;
  private readonly dashboard: string;
  private readonly parts = new Set<Part>(['always']);

  constructor(scope: Construct, id: string, private readonly props: OktaTwilioHooksProps) {
    super(scope, id);
    check(props);
    if (Stack.of(this).node.findAll().some((each) => each instanceof OktaTwilioHooks && each !== this)) {
      throw new Error('OktaTwilioHooks: one to a stack, as metrics and queries carry the name of the stack');
    }
    const hooks = props.hooks ?? 'both';
    if (hooks !== 'events') {
      this.parts.add('telephony');
    }
    if (hooks !== 'telephony') {
      this.parts.add('events');
    }
    if (this.has('events') && props.feedbackQueue !== false) {
      this.parts.add('queue');
    }
    if (this.has('telephony') && props.lookupFields?.length) {
      this.parts.add('lookup');
    }

    this.hooksSecret = props.hooksSecret ?? this.newHooksSecret();
    this.sendsTable = props.sendsTable ?? (this.has('telephony') ? this.newSendsTable() : undefined);
    if (this.has('queue')) {
      this.feedbackDeadLetterQueue = this.newQueue('FeedbackDeadLetterQueue', { retentionPeriod: Duration.days(14) });
      Validations.of(this.feedbackDeadLetterQueue).acknowledge({
        id: 'Serverless-SQSRedrivePolicy',
        reason: 'This is the dead-letter queue itself.',
      });
      this.feedbackQueue = this.newQueue('FeedbackQueue', {
        // Six times the time-out of event-hook, as AWS advises.
        visibilityTimeout: Duration.seconds(180),
        retentionPeriod: Duration.days(4),
        deadLetterQueue: { queue: this.feedbackDeadLetterQueue, maxReceiveCount: 8 },
      });
    }
    const deployed: Deployed = {
      hooksSecret: this.hooksSecret.secretArn,
      metricsStack: this.metricsStack,
      sendsTable: this.sendsTable?.tableName,
      feedbackQueueUrl: this.feedbackQueue?.queueUrl,
    };

    this.api = new apigateway.CfnApi(this, 'Api', {
      name: Stack.of(this).stackName,
      description: 'URLs that Okta calls',
      protocolType: 'HTTP',
      disableExecuteApiEndpoint: props.domain !== undefined,
    });
    const stage = this.newStage();

    let telephony: Hook | undefined;
    if (this.has('telephony')) {
      this.telephonyLogGroup = this.newLogGroup('TelephonyLogGroup');
      telephony = this.newTelephonyHook(telephonyVariables(props, deployed), this.telephonyLogGroup);
      this.telephonyAlias = telephony.alias;
      this.addTelephonyRoute(telephony, stage);
      this.telephonyUrl = this.url('/telephony');
    }
    let event: Hook | undefined;
    if (this.has('events')) {
      this.eventLogGroup = this.newLogGroup('EventLogGroup');
      event = this.newEventHook(eventVariables(props, deployed), this.eventLogGroup);
      this.eventAlias = event.alias;
      this.addEventsRoutes(event, stage);
      this.eventsUrl = this.url('/events');
    }
    if (props.domain) {
      this.addDomain(props.domain, stage);
    }

    const names = {
      metricsStack: this.metricsStack,
      api: this.api.ref,
      telephonyFunction: telephony?.function.functionName ?? 'none',
      eventFunction: event?.function.functionName ?? 'none',
      queue: this.feedbackQueue?.queueName ?? 'none',
      deadLetterQueue: this.feedbackDeadLetterQueue?.queueName ?? 'none',
    };
    this.alarms = addAlarms(this, this.parts, names);
    this.alarmTopic = props.alarmTopic ?? (props.alarmEmail ? this.newAlarmTopic(props.alarmEmail) : undefined);
    if (this.alarmTopic) {
      const action = new actions.SnsAction(this.alarmTopic);
      for (const alarm of this.alarms.values()) {
        alarm.addAlarmAction(action);
        alarm.addOkAction(action);
      }
    }
    this.addDeployments(telephony, event);
    this.dashboard = this.addDashboard(names);
    this.addQueries();
    if (props.monthlyBudgetUsd !== undefined) {
      this.addBudget(props.monthlyBudgetUsd);
    }
  }

  /** The dashboard in the console of this stack's partition. */
  get dashboardUrl(): string {
    const found = this.node.tryFindChild('Console') as CfnMapping | undefined;
    const domains =
      found ??
      new CfnMapping(this, 'Console', {
        mapping: {
          aws: { Domain: 'console.aws.amazon.com' },
          'aws-us-gov': { Domain: 'console.amazonaws-us-gov.com' },
          'aws-cn': { Domain: 'console.amazonaws.cn' },
        },
      });
    const domain = domains.findInMap(Aws.PARTITION, 'Domain');
    return `https://${domain}/cloudwatch/home?region=${Aws.REGION}#dashboards/dashboard/${this.dashboard}`;
  }

  private has(part: Part): boolean {
    return this.parts.has(part);
  }

  private get metricsStack(): string {
    return this.props.metricsStack ?? Stack.of(this).stackName;
  }

  /** Do not change how the value is generated: CloudFormation would overwrite the filled-in value with a new one. */
  private newHooksSecret(): secretsmanager.Secret {
    const secret = new secretsmanager.Secret(this, 'HooksSecret', {
      description: `Hooks secret of ${Stack.of(this).stackName}. Okta sends auth_secret; fill in the Twilio credentials with make secrets.`,
      generateSecretString: {
        secretStringTemplate: '{}',
        generateStringKey: 'auth_secret',
        passwordLength: 48,
        excludePunctuation: true,
      },
      encryptionKey: this.props.encryptionKey,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    Validations.of(secret).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason: 'Okta and Twilio hold the same values: docs/runbook.md rotates them without a gap, with two values at a time.',
    });
    return secret;
  }

  /** The sends table: ids and times between a code and its feedback, for 15 minutes. */
  private newSendsTable(): dynamodb.Table {
    const key = this.props.encryptionKey;
    const table = new dynamodb.Table(this, 'Sends', {
      billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
      partitionKey: { name: 'user_id', type: dynamodb.AttributeType.STRING },
      sortKey: { name: 'verification_sid', type: dynamodb.AttributeType.STRING },
      timeToLiveAttribute: 'expires_at',
      encryption: key && dynamodb.TableEncryption.CUSTOMER_MANAGED,
      encryptionKey: key,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    Validations.of(table).acknowledge({
      id: 'AwsSolutions-DDB3',
      reason: 'Nothing in it is older than 15 minutes, and a lost row costs one feedback.',
    });
    return table;
  }

  /** The events of one user stay in order. Users do not wait for each other. */
  private newQueue(id: string, props: sqs.QueueProps): sqs.Queue {
    const key = this.props.encryptionKey;
    const queue = new sqs.Queue(this, id, {
      ...props,
      fifo: true,
      deduplicationScope: sqs.DeduplicationScope.MESSAGE_GROUP,
      fifoThroughputLimit: sqs.FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
      encryption: key ? sqs.QueueEncryption.KMS : sqs.QueueEncryption.SQS_MANAGED,
      encryptionMasterKey: key,
      // It can still contain feedback.
      removalPolicy: RemovalPolicy.RETAIN,
    });
    // The queue refuses requests without TLS. The roles grant the access.
    queue.addToResourcePolicy(
      new iam.PolicyStatement({
        effect: iam.Effect.DENY,
        principals: [new iam.StarPrincipal()],
        actions: ['SendMessage', 'ReceiveMessage', 'DeleteMessage', 'ChangeMessageVisibility', 'PurgeQueue'].map((each) => `sqs:${each}`),
        resources: [queue.queueArn],
        conditions: { Bool: { 'aws:SecureTransport': 'false' } },
      }),
    );
    Validations.of(queue).acknowledge({
      id: 'AwsSolutions-SQS4',
      reason: 'Its policy denies each use of the queue without TLS by name; the check knows only sqs:*.',
    });
    return queue;
  }

  private newLogGroup(id: string, removalPolicy = RemovalPolicy.RETAIN): logs.LogGroup {
    return new logs.LogGroup(this, id, {
      retention: this.props.logRetention ?? logs.RetentionDays.ONE_MONTH,
      encryptionKey: this.props.encryptionKey,
      removalPolicy,
    });
  }

  private newTelephonyHook(variables: Variables, logGroup: logs.LogGroup): Hook {
    const { props } = this;
    const role = this.newRole('TelephonyRole', 'telephony-hook', logGroup, [
      allow(['secretsmanager:GetSecretValue'], [readable(this.hooksSecret)]),
      ...this.decryption(['kms:Decrypt']),
      allow(['dynamodb:UpdateItem', ...(props.resendChannels?.length ? ['dynamodb:Query'] : [])], [this.sendsTable!.tableArn]),
    ]);
    const fn = this.newFunction('TelephonyFunction', {
      description: "Okta's telephony inline hook, served through Twilio Verify",
      code: props.code.telephony!,
      // Okta waits for 3 s. The rest is time to log a late response.
      timeout: Duration.seconds(5),
      role,
      logGroup,
      environment: variables,
      reservedConcurrentExecutions: props.telephonyReservedConcurrency,
    });
    const alias = new lambda.Alias(this, 'TelephonyAlias', {
      aliasName: 'live',
      version: fn.currentVersion,
      provisionedConcurrentExecutions: props.provisionedConcurrency,
    });
    if (props.maxProvisionedConcurrency) {
      const target = new autoscaling.CfnScalableTarget(this, 'TelephonyScaling', {
        serviceNamespace: 'lambda',
        scalableDimension: 'lambda:function:ProvisionedConcurrency',
        // The alias's ARN ends in the function's name and the alias; naming it makes the target wait for the alias.
        resourceId: `function:${Fn.select(6, Fn.split(':', alias.functionArn))}:live`,
        minCapacity: props.provisionedConcurrency!,
        maxCapacity: props.maxProvisionedConcurrency,
      });
      new autoscaling.CfnScalingPolicy(this, 'TelephonyScalingPolicy', {
        policyName: 'provisioned-concurrency',
        policyType: 'TargetTrackingScaling',
        scalingTargetId: target.ref,
        targetTrackingScalingPolicyConfiguration: {
          targetValue: 0.7,
          predefinedMetricSpecification: { predefinedMetricType: 'LambdaProvisionedConcurrencyUtilization' },
        },
      });
    }
    return { function: fn, alias };
  }

  private newEventHook(variables: Variables, logGroup: logs.LogGroup): Hook {
    const { props } = this;
    const statements = [
      allow(['secretsmanager:GetSecretValue'], [readable(this.hooksSecret), ...(props.okta ? [readable(props.okta.secret)] : [])]),
      // A data key is generated for each message to the queue.
      ...this.decryption(['kms:Decrypt', ...(this.has('queue') ? ['kms:GenerateDataKey'] : [])]),
    ];
    if (this.sendsTable) {
      statements.push(allow(['dynamodb:Query', 'dynamodb:DeleteItem'], [this.sendsTable.tableArn]));
    }
    if (this.feedbackQueue) {
      // The function increases the time between attempts by changing the visibility timeout.
      const queueActions = ['SendMessage', 'ReceiveMessage', 'DeleteMessage', 'GetQueueAttributes', 'ChangeMessageVisibility'];
      statements.push(allow(queueActions.map((each) => `sqs:${each}`), [this.feedbackQueue.queueArn]));
    }
    const fn = this.newFunction('EventFunction', {
      description: "Okta's event hook, and feedback to Twilio Verify from its queue",
      code: props.code.event!,
      // For a batch from the queue. A delivery from Okta gets its response within 3 s.
      timeout: Duration.seconds(30),
      role: this.newRole('EventRole', 'event-hook', logGroup, statements),
      logGroup,
      environment: variables,
      reservedConcurrentExecutions: props.eventReservedConcurrency,
    });
    const alias = new lambda.Alias(this, 'EventAlias', { aliasName: 'live', version: fn.currentVersion });
    if (this.feedbackQueue) {
      const mapping = new lambda.EventSourceMapping(this, 'FeedbackQueueMapping', {
        target: alias,
        eventSourceArn: this.feedbackQueue.queueArn,
        batchSize: 10,
        reportBatchItemFailures: true,
        maxConcurrency: props.feedbackConcurrency ?? 5,
      });
      Validations.of(mapping).acknowledge({
        id: 'Serverless-LambdaEventSourceMappingDestination',
        reason: 'Lambda has no destination for failures of a queue: the queue itself has dead letters.',
      });
    }
    return { function: fn, alias };
  }

  /** A role with these permissions, and permission to write the function's log. */
  private newRole(id: string, policyName: string, logGroup: logs.LogGroup, statements: iam.PolicyStatement[]): iam.Role {
    const write = allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [logGroup.logGroupArn]);
    return new iam.Role(this, id, {
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
      inlinePolicies: { [policyName]: new iam.PolicyDocument({ statements: [...statements, write] }) },
    });
  }

  private decryption(own: string[]): iam.PolicyStatement[] {
    const { encryptionKey, secretsEncryptionKey } = this.props;
    return [
      ...(encryptionKey ? [allow(own, [encryptionKey.keyArn])] : []),
      ...(secretsEncryptionKey ? [allow(['kms:Decrypt'], [secretsEncryptionKey.keyArn])] : []),
    ];
  }

  private newFunction(
    id: string,
    own: Pick<lambda.FunctionProps, 'description' | 'code' | 'timeout' | 'role' | 'logGroup' | 'environment' | 'reservedConcurrentExecutions'>,
  ): lambda.Function {
    const { props } = this;
    const fn = new lambda.Function(this, id, {
      ...own,
      handler: 'bootstrap',
      runtime: lambda.Runtime.PROVIDED_AL2023,
      architecture: this.architecture,
      memorySize: props.memorySize ?? 512,
      layers: props.extraCaLayer && [props.extraCaLayer],
      loggingFormat: lambda.LoggingFormat.JSON,
      // `logLevel` decides. A filter above INFO here would drop the metrics, which are log lines too.
      applicationLogLevelV2: lambda.ApplicationLogLevel.TRACE,
      systemLogLevelV2: lambda.SystemLogLevel.INFO,
      // A rollback needs the previous version.
      currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN },
    });
    Validations.of(fn).acknowledge(
      { id: 'Serverless-LambdaDLQ', reason: 'It is never invoked asynchronously: Okta waits for the response, and the queue has a dead-letter queue.' },
      { id: 'Serverless-LambdaTracing', reason: 'The log says what each call to Twilio took; X-Ray would see the function as one block.' },
    );
    return fn;
  }

  private get architecture(): lambda.Architecture {
    return this.props.architecture ?? lambda.Architecture.ARM_64;
  }

  // API Gateway. It is written resource by resource, so that both event routes share an integration and each route has
  // its own throttle.

  private newStage(): apigateway.CfnStage {
    const accessLog = this.newLogGroup('AccessLogGroup');
    const telephony = throttle(this.props.telephonyThrottle);
    const events = throttle(this.props.eventsThrottle);
    return new apigateway.CfnStage(this, 'ApiStage', {
      apiId: this.api.ref,
      stageName: '$default',
      autoDeploy: true,
      defaultRouteSettings: { throttlingRateLimit: events.ThrottlingRateLimit, throttlingBurstLimit: events.ThrottlingBurstLimit },
      routeSettings: {
        ...(this.has('telephony') && { 'POST /telephony': telephony }),
        ...(this.has('events') && { 'POST /events': events, 'GET /events': events }),
      },
      accessLogSettings: { destinationArn: accessLog.logGroupArn, format: JSON.stringify(ACCESS_LOG) },
    });
  }

  private addTelephonyRoute(hook: Hook, stage: apigateway.CfnStage): void {
    const { jwt } = this.props;
    const authorizer =
      jwt &&
      new apigateway.CfnAuthorizer(this, 'TelephonyAuthorizer', {
        apiId: this.api.ref,
        name: 'okta',
        authorizerType: 'JWT',
        identitySource: ['$request.header.Authorization'],
        jwtConfiguration: { issuer: jwt.issuer, audience: [jwt.audience] },
      });
    const route = this.newRoute('TelephonyRoute', 'POST /telephony', this.newIntegration('TelephonyIntegration', hook), stage);
    route.authorizationType = jwt ? 'JWT' : 'NONE';
    route.authorizerId = authorizer?.ref;
    route.authorizationScopes = jwt && [jwt.scope];
    this.permit('TelephonyPermission', hook, 'POST/telephony');
  }

  private addEventsRoutes(hook: Hook, stage: apigateway.CfnStage): void {
    const integration = this.newIntegration('EventsIntegration', hook);
    this.newRoute('EventsRoute', 'POST /events', integration, stage);
    this.newRoute('EventsVerificationRoute', 'GET /events', integration, stage);
    this.permit('EventsPermission', hook, '*/events');
  }

  private newIntegration(id: string, hook: Hook): apigateway.CfnIntegration {
    return new apigateway.CfnIntegration(this, id, {
      apiId: this.api.ref,
      integrationType: 'AWS_PROXY',
      integrationUri: hook.alias.functionArn,
      payloadFormatVersion: '2.0',
      timeoutInMillis: 5000,
    });
  }

  private newRoute(id: string, routeKey: string, integration: apigateway.CfnIntegration, stage: apigateway.CfnStage): apigateway.CfnRoute {
    const route = new apigateway.CfnRoute(this, id, { apiId: this.api.ref, routeKey, target: `integrations/${integration.ref}` });
    // A route must exist before its throttles can be set.
    stage.addResourceDependency(route);
    Validations.of(route).acknowledge({
      id: 'AwsSolutions-APIG4',
      reason: 'Without `jwt` the function itself compares the shared secret that Okta sends in a header, in constant time.',
    });
    return route;
  }

  private permit(id: string, hook: Hook, route: string): void {
    new lambda.CfnPermission(this, id, {
      action: 'lambda:InvokeFunction',
      functionName: hook.alias.functionArn,
      principal: 'apigateway.amazonaws.com',
      sourceArn: Stack.of(this).formatArn({ service: 'execute-api', resource: this.api.ref, resourceName: `*/${route}` }),
    });
  }

  private addDomain(domain: NonNullable<OktaTwilioHooksProps['domain']>, stage: apigateway.CfnStage): void {
    const name = new apigateway.CfnDomainName(this, 'ApiDomain', {
      domainName: domain.name,
      domainNameConfigurations: [
        { certificateArn: domain.certificate.certificateArn, endpointType: 'REGIONAL', securityPolicy: 'TLS_1_2' },
      ],
    });
    new apigateway.CfnApiMapping(this, 'ApiDomainMapping', { apiId: this.api.ref, domainName: name.ref, stage: stage.ref });
    if (domain.hostedZone) {
      new route53.CfnRecordSet(this, 'ApiDnsRecord', {
        hostedZoneId: domain.hostedZone.hostedZoneId,
        name: domain.name,
        type: 'A',
        aliasTarget: { dnsName: name.attrRegionalDomainName, hostedZoneId: name.attrRegionalHostedZoneId },
      });
    }
  }

  private url(path: string): string {
    return (this.props.domain ? `https://${this.props.domain.name}` : this.api.attrApiEndpoint) + path;
  }

  // Updates: a check of the new version, then traffic step by step.

  private addDeployments(telephony: Hook | undefined, event: Hook | undefined): void {
    const role = new iam.Role(this, 'DeploymentRole', {
      assumedBy: new iam.ServicePrincipal('codedeploy.amazonaws.com'),
      managedPolicies: [iam.ManagedPolicy.fromAwsManagedPolicyName('service-role/AWSCodeDeployRoleForLambdaLimited')],
    });
    Validations.of(role).acknowledge({
      id: 'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSCodeDeployRoleForLambdaLimited]',
      reason: "AWS's own, so that it follows what CodeDeploy needs. It may invoke no function but those named CodeDeployHook_….",
    });
    const preHook = this.newPreTrafficCheck(telephony, event);
    const application = new codedeploy.LambdaApplication(this, 'DeploymentApplication');
    const add = (id: string, hook: Hook | undefined, alarms: string[]) => {
      if (hook) {
        new codedeploy.LambdaDeploymentGroup(this, id, {
          application,
          // Without CDK's own grant: the policy already allows CodeDeploy to invoke the check by its name.
          role: role.withoutPolicyUpdates(),
          preHook,
          alias: hook.alias,
          deploymentConfig: this.props.deploymentConfig ?? codedeploy.LambdaDeploymentConfig.CANARY_10PERCENT_5MINUTES,
          alarms: this.props.rollBackOnAlarms === false ? [] : alarms.map((each) => this.alarms.get(each)!),
          autoRollback: {
            failedDeployment: true,
            stoppedDeployment: true,
            deploymentInAlarm: this.props.rollBackOnAlarms === false ? undefined : true,
          },
        });
      }
    };
    add('TelephonyDeploymentGroup', telephony, ['TelephonyErrorsAlarm', 'GatewayErrorsAlarm', 'SendFailuresAlarm']);
    add('EventDeploymentGroup', event, ['EventErrorsAlarm', 'GatewayErrorsAlarm']);
  }

  private newPreTrafficCheck(telephony: Hook | undefined, event: Hook | undefined): lambda.Function {
    const { props } = this;
    const logGroup = this.newLogGroup('PreTrafficLogGroup', RemovalPolicy.DESTROY);
    const versions = [telephony, event].flatMap((hook) => (hook ? [hook.function.currentVersion.functionArn] : []));
    const fn = new lambda.Function(this, 'PreTrafficCheck', {
      // CodeDeploy can invoke only functions with this prefix. The stack's id makes the name unique and short enough.
      functionName: `CodeDeployHook_${Fn.select(2, Fn.split('/', Aws.STACK_ID))}`,
      description: 'Checks a new version of the hooks before it gets traffic. It sends no message.',
      runtime: lambda.Runtime.PYTHON_3_13,
      architecture: this.architecture,
      handler: 'index.handler',
      memorySize: 256,
      timeout: Duration.seconds(120),
      role: this.newRole('PreTrafficRole', 'pre-traffic-check', logGroup, [allow(['lambda:InvokeFunction'], versions)]),
      loggingFormat: lambda.LoggingFormat.JSON,
      logGroup,
      environment: {
        TELEPHONY_VERSION: telephony?.function.currentVersion.functionArn ?? '',
        EVENT_VERSION: event?.function.currentVersion.functionArn ?? '',
        AUTH_MODE: props.jwt ? 'jwt' : 'header',
        AUTH_HEADER: props.authHeader ?? '',
        JWT_SCOPE: props.jwt?.scope ?? '',
        JWT_CLIENT_ID: props.jwt?.clientId ?? '',
      },
      code: lambda.Code.fromInline(text('pre_traffic_check.py')),
    });
    Validations.of(fn).acknowledge(
      { id: 'AwsSolutions-L1', reason: 'Its runtime is the one that the SAM template and the tests use, and moves with them.' },
      { id: 'Serverless-LambdaLatestVersion', reason: 'The same.' },
      { id: 'Serverless-LambdaDLQ', reason: 'CodeDeploy waits for its result, and rolls back without one.' },
      { id: 'Serverless-LambdaTracing', reason: 'It runs once an update, and its log says what it saw.' },
    );
    return fn;
  }

  // Monitoring.

  private newAlarmTopic(email: string): sns.Topic {
    const topic = new sns.Topic(this, 'AlarmTopic', { displayName: `Alarms of ${Stack.of(this).stackName}` });
    topic.addSubscription(new subscriptions.EmailSubscription(email));
    Validations.of(topic).acknowledge(
      { id: 'AwsSolutions-SNS3', reason: 'Only CloudWatch publishes to it, over TLS; nothing in an alarm is secret.' },
      { id: 'Serverless-SNSRedrivePolicy', reason: 'An e-mail that bounces cannot be sent later; the alarm stays in CloudWatch.' },
    );
    return topic;
  }

  private addDashboard(names: { api: string; telephonyFunction: string; eventFunction: string; queue: string; deadLetterQueue: string }): string {
    const alarms = [...this.alarms.values()].map((each) => each.alarmArn);
    const dashboard = new cloudwatch.CfnDashboard(this, 'Dashboard', {
      dashboardBody: Fn.sub(dashboardBody(), {
        Stack: this.metricsStack,
        TelephonyFunctionName: names.telephonyFunction,
        EventFunctionName: names.eventFunction,
        ApiId: names.api,
        LogGroupNames: this.logGroupNames().join("' | SOURCE '"),
        FeedbackQueueName: names.queue,
        DeadLetterQueueName: names.deadLetterQueue,
        AlarmArns: alarms.join('","'),
      }),
    });
    return dashboard.ref;
  }

  private logGroupNames(): string[] {
    return [this.telephonyLogGroup, this.eventLogGroup].flatMap((group) => (group ? [group.logGroupName] : []));
  }

  private addQueries(): void {
    const groups = {
      always: this.logGroupNames(),
      // The feedback of a user is in the log of the other function.
      WhyNoCodeQuery: this.logGroupNames(),
      telephony: this.telephonyLogGroup ? [this.telephonyLogGroup.logGroupName] : [],
      events: this.eventLogGroup ? [this.eventLogGroup.logGroupName] : [],
    } as Record<string, string[]>;
    for (const query of QUERIES.filter((each) => this.has(each.of))) {
      new logs.CfnQueryDefinition(this, query.id, {
        name: `${Stack.of(this).stackName}/${query.name}`,
        logGroupNames: groups[query.id] ?? groups[query.of],
        queryString: `${query.lines.join('\n')}\n`,
      });
    }
  }

  private addBudget(usd: number): void {
    const subscribers = this.props.alarmEmail
      ? [{ subscriptionType: 'EMAIL', address: this.props.alarmEmail }]
      : [{ subscriptionType: 'SNS', address: this.alarmTopic!.topicArn }];
    const notification = (notificationType: string, threshold: number) => ({
      notification: { notificationType, comparisonOperator: 'GREATER_THAN', thresholdType: 'PERCENTAGE', threshold },
      subscribers,
    });
    new budgets.CfnBudget(this, 'Budget', {
      budget: { budgetType: 'COST', timeUnit: 'MONTHLY', budgetLimit: { amount: usd, unit: 'USD' } },
      notificationsWithSubscribers: [notification('ACTUAL', 80), notification('FORECASTED', 100)],
    });
  }
}

function allow(actions: string[], resources: string[]): iam.PolicyStatement {
  return new iam.PolicyStatement({ actions, resources });
}

/** The ARN for policies. An ARN without its last six characters needs a wildcard for them. */
function readable(secret: secretsmanager.ISecret): string {
  return secret.secretFullArn ?? `${secret.secretArn}-??????`;
}

function throttle(given: ThrottleProps = DEFAULT_THROTTLE) {
  // Under the gateway's own names, as these settings are free-form JSON for CloudFormation.
  return { ThrottlingRateLimit: given.rateLimit, ThrottlingBurstLimit: given.burstLimit };
}

/** infra/dashboard.json, which the SAM template also contains. */
function dashboardBody(): string {
  return JSON.stringify(JSON.parse(text('dashboard.json')));
}

/** The path of a file: next to this one in the npm package, in its own folder in the repository. */
function text(name: string): string {
  const places = ['.', '../../lib', '../../..'].map((place) => join(__dirname, place, name));
  return readFileSync(places.find((path) => existsSync(path))!, 'utf8');
}
