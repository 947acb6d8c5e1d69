import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';

/** Ed25519 keys as PEM (PKCS#8 and SPKI). */
export interface KeyPair {
  publicKey: string;
  privateKey: string;
}

export function createKeyPair(): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** Ed25519 signature (RFC 8032), base64. */
export function signBytes(privateKey: string, bytes: Uint8Array): string {
  return sign(null, bytes, createPrivateKey(privateKey)).toString('base64');
}

/** False for a wrong signature and for a key or signature that cannot be read. */
export function verifyBytes(publicKey: string, bytes: Uint8Array, signature: string): boolean {
  try {
    return verify(null, bytes, createPublicKey(publicKey), Buffer.from(signature, 'base64'));
  } catch {
    return false;
  }
}

/** Fingerprint of a public key: SHA-256 of its DER form, hex. */
export function fingerprint(publicKey: string): string {
  const der = createPublicKey(publicKey).export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('hex');
}
