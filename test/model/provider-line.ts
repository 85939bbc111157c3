/** A process's line to the authorization server: the real interface, with the timeout of the real one. */
import { ProviderError } from '../../lib/errors.js';
import type { GrantProvider } from '../../lib/provider-registry.js';
import type { RefreshOutcome } from '../../lib/provider/provider.js';
import { httpTimeoutSeconds, type SimulatedProcess } from './simulated-process.js';
import type { Fate, Issued, TokenCall } from './simulated-server.js';

const failed = (code: 'UNAVAILABLE' | 'TIMEOUT' = 'UNAVAILABLE', retryAfterSeconds?: number): Extract<RefreshOutcome, { kind: 'failed' }> => ({
  kind: 'failed',
  error: new ProviderError(`ERR_CODE_FLOW_PROVIDER_${code}`, 503, 'simulated', { retryAfterSeconds: 5 }),
  retryAfterSeconds,
});

export function createProviderLine(process: SimulatedProcess): GrantProvider {
  return {
    name: 'default',
    refresh: (refreshToken, { resource }) => refresh(process, refreshToken, resource ?? ''),
    revoke: (token) => revoke(process, token),
  };
}

function startCall(process: SimulatedProcess, refreshToken: string, resource: string): TokenCall {
  const { witness } = process.world.loginOf(refreshToken);
  const sentAt = process.world.time.now;
  const { leaseEnd } = witness;
  const call = { process: process.name, family: witness.family, refreshToken, resource, sentAt, leaseEnd, open: true, quietMs: 0 };
  process.world.trace(`${process.name} sends ${refreshToken}`);
  witness.sent(call);
  return call;
}

function refresh(process: SimulatedProcess, refreshToken: string, resource: string): Promise<RefreshOutcome> {
  const { time, faults, random } = process.world;
  const call = startCall(process, refreshToken, resource);
  const { fate, requestMs, replyMs } = faults.tokenCall();
  // Of somebody else's answer nothing counts, and of one that cannot be checked only a new refresh token.
  const nothingToKeep = fate === 'foreign' || (fate === 'unverified' && process.world.profile.rotation === 'static');
  const retryAfterSeconds = fate === 'busy' ? random.between(1, 40) : undefined;
  return new Promise((resolve) => {
    let issued: Issued | undefined;
    const settle = (outcome: RefreshOutcome, becomes: Fate): void =>
      process.run(() => {
        if (!call.open) return;
        const quietMs = outcome.kind === 'failed' ? (outcome.retryAfterSeconds ?? 0) * 1000 : 0;
        Object.assign(call, { open: false, quietMs });
        if (issued !== undefined) Object.assign(issued, { fate: becomes, receivedAt: time.now });
        deadline.cancel();
        process.world.trace(`${process.name} gets ${outcome.kind}${fate === 'ok' ? '' : ` (${fate})`}`);
        resolve(outcome);
      });
    const deadline = time.after(httpTimeoutSeconds * 1000, () => settle(failed('TIMEOUT'), 'lost'));
    if (fate === 'request lost') return;
    if (fate === 'refused' || fate === 'unavailable' || fate === 'busy' || fate === 'client') {
      const aboutResource = fate === 'client' && resource !== '';
      time.after(requestMs + replyMs, () => settle({ ...failed('UNAVAILABLE', retryAfterSeconds), aboutResource }, 'lost'));
      return;
    }
    time.after(requestMs, () => {
      const outcome = redeem(process, call, fate);
      issued = outcome.issued;
      // Given up before it came to pass.
      if (issued !== undefined && !call.open) issued.fate = 'lost';
      if (fate === 'cut') time.after(replyMs, () => settle(failed(), 'lost'));
      else if (fate !== 'reply lost') time.after(replyMs, () => settle(outcome, nothingToKeep ? 'lost' : 'received'));
    });
  });
}

function redeem(process: SimulatedProcess, call: TokenCall, fate: string): RefreshOutcome & { issued?: Issued } {
  const { server } = process.world;
  const { witness } = process.world.loginOf(call.refreshToken);
  witness.redeeming(call);
  const result = server.redeem(call);
  process.world.trace(`the server ${result === 'refused' ? 'refuses' : 'takes'} ${call.refreshToken}${result === 'refused' ? '' : ` and issues ${result.issued.refreshToken}`}`);
  if (result === 'refused') return { kind: 'refused', certain: server.profile.refusesClearly };
  const { issued } = result;
  if (!process.alive) issued.fate = 'lost';
  if (fate === 'foreign') {
    witness.foreign = true;
    return { kind: 'foreign', refreshToken: issued.refreshToken, issued };
  }
  const tokens = server.answer(issued);
  if (fate !== 'unverified') return { kind: 'tokens', tokens, issued };
  return { kind: 'unverified', tokens, error: new ProviderError('ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', 503, 'simulated'), issued };
}

function revoke(process: SimulatedProcess, token: string): Promise<boolean> {
  const { time, faults, server } = process.world;
  const { witness } = process.world.loginOf(token);
  const { fate, requestMs, replyMs } = faults.tokenCall();
  witness.revoking(token);
  process.world.trace(`${process.name} revokes ${token}${fate === 'ok' ? '' : ` (${fate})`}`);
  return new Promise((resolve, reject) => {
    const works = fate === 'ok' || fate === 'slow' || fate === 'unverified' || fate === 'foreign';
    time.after(requestMs, () => {
      if (works) server.revoke(witness.family, token);
      time.after(replyMs, () => process.run(() => (works ? resolve(true) : reject(new ProviderError('ERR_CODE_FLOW_PROVIDER_UNAVAILABLE', 503, 'simulated')))));
    });
  });
}
