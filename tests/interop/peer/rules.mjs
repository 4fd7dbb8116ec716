// The rules of protocols/README.md that this peer needs: hashes, envelopes, epochs, chunks and their sums.

import { createHash, createPrivateKey, createPublicKey, sign as ed25519Sign, verify as ed25519Verify } from 'node:crypto'
import { Malformed, bin, list, maybe, pack, record, str, uint, unpack } from './codec.mjs'

export const sha256 = (...parts) => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

const u32 = value => { const out = Buffer.alloc(4); out.writeUInt32BE(value); return out }
const u64 = value => { const out = Buffer.alloc(8); out.writeBigUInt64BE(BigInt(value)); return out }

/** Section 2, Hashes. */
export function tagged (domain, ...parts) {
  const bytes = parts.map(part => part instanceof Uint8Array ? part : u64(part))
  return sha256(`2pm/${domain}/1\0`, ...bytes.flatMap(part => [u32(part.length), part]))
}

// ------------------------------------------------------------------------------------------- messages (section 7)

const digest = bin(32); const key = bin(32)
const slot = record(uint(64), uint(32), uint(32), digest, uint(32))
const cellSet = record(uint(16), list(record(key, digest), 1, 16))
export const SetList = record(slot, list(cellSet, 1, 512))
const dealing = record(bin(32), bin(64), bin(1, 512))
const votes = list(record(uint(8), bin(64)), 1, 16)
export const TAG = { AddressRecord: 1, Manifest: 3, ListCertificate: 9, Aggregate: 10 }
const SHAPES = {
  1: record(uint(64), list(str(1, 256), 0, 16)),
  3: record(slot, uint(16), digest, list(digest, 1, 4096), list(digest, 0, 16), maybe(dealing)),
  9: record(SetList, uint(8), votes),
  10: record(slot, uint(16), digest, list(uint(16), 1, 256), list(digest, 1, 4096), bin(0, 64))
}
const anything = () => {}
const envelopeShape = record(bin(1, 524_288), key, bin(64))
const DOMAIN = Buffer.from('2pm/message/1\0')

const privateKey = seed => createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]), format: 'der', type: 'pkcs8'
})
const publicKey = raw => createPublicKey({
  key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]), format: 'der', type: 'spki'
})
export const publicOf = seed => createPublicKey(privateKey(seed)).export({ format: 'der', type: 'spki' }).subarray(-32)

const holds = (body, signer, signature) => ed25519Verify(null, Buffer.concat([DOMAIN, body]), publicKey(signer), signature)

/** The envelope of a message, signed by this seed. */
export function seal (seed, tag, fields) {
  const body = pack([tag, fields])
  return pack([body, publicOf(seed), ed25519Sign(null, Buffer.concat([DOMAIN, body]), privateKey(seed))])
}

/** {tag, fields, signer, digest} of an envelope; throws Malformed if it is none or its signature does not hold. */
export function open (data, most = 524_288 + 256) {
  const [body, signer, signature] = unpack(data, envelopeShape, most)
  const [tag, fields] = unpack(body, record(uint(8), anything), 524_288)
  if (SHAPES[tag] === undefined) return { tag, signer, digest: sha256(body) }
  SHAPES[tag](fields, 'message')
  if (!holds(body, signer, signature)) throw new Malformed('the signature does not hold')
  return { tag, fields, signer, digest: sha256(body) }
}

// ---------------------------------------------------------------------------------------------- epoch (section 5)

const DATA = 1; const COMPUTE = 2

/** What follows from the chain: {committee, cells, root, slot(h), quorum(c), aggregators(h, c, s)}. */
export function drawEpoch ({ chainId, subnet, epoch, blockHash, roster, params }) {
  const { kMin, dropouts, committee: members } = params
  const beacon = tagged('epoch-beacon', chainId, subnet, epoch, blockHash)
  const lowest = (peers, rank) => peers
    .map(peer => [rank(peer), peer]).sort(([a], [b]) => Buffer.compare(a, b)).map(([, peer]) => peer)
  const having = role => roster.filter(([, roles]) => roles & role).map(([peer]) => peer)
  const committee = lowest(having(COMPUTE), peer => tagged('committee', beacon, peer)).slice(0, members)
  const data = lowest(having(DATA), peer => tagged('cell', beacon, peer))
  const count = Math.floor(data.length / (kMin + dropouts))
  const cells = Array.from({ length: count }, (_, c) =>
    data.slice(0, 16 * count).filter((_, rank) => rank % count === c).sort(Buffer.compare))
  const root = tagged('committee-root', chainId, subnet, epoch, beacon, ...committee)
  return {
    committee,
    cells,
    slot: height => [chainId, subnet, epoch, root, height],
    quorum: c => Math.max(kMin, cells[c].length - dropouts),
    aggregators: (h, c, s) => lowest(cells[c], peer => tagged('aggregator', beacon, h, c, s, peer)).slice(0, 2)
  }
}

/** How others name a list (section 7). */
export const listDigest = sets => tagged('set-list', pack(sets))

/** Section 7, Certificates: at least t members' own precommits, ascending; returns the digest of the list. */
export function checkListCertificate ([sets, view, signatures], epoch, threshold) {
  const digestOfSets = listDigest(sets)
  const vote = pack([8, [sets[0], view, 2, digestOfSets, null]])
  const indices = signatures.map(([member]) => member)
  if (signatures.length < threshold) throw new Malformed('too few signatures')
  if (indices.some((each, i) => each < 1 || each > epoch.committee.length || (i > 0 && indices[i - 1] >= each))) {
    throw new Malformed('members out of order')
  }
  for (const [member, signature] of signatures) {
    if (!holds(vote, epoch.committee[member - 1], signature)) throw new Malformed(`member ${member} did not sign it`)
  }
  return digestOfSets
}

// --------------------------------------------------------------------------------------------- chunks (section 8.3)

export const PRIMES = [70368743587841n, 70368743669761n]
const PIECE = 262_144
export const CHUNK_BYTES = 47_104
const ROW = 4096; const LEAF = 64

/** Residues (2 rows of 4,096 bigints) of a chunk's bytes: 46 bits each, most significant first. */
export function unpackChunk (bytes) {
  if (bytes.length !== CHUNK_BYTES) throw new Malformed(`a chunk of ${bytes.length} bytes`)
  const residues = []
  for (let at = 0; at < bytes.length; at += 23) { // four residues take 23 bytes
    const four = BigInt('0x' + Buffer.from(bytes.subarray(at, at + 23)).toString('hex'))
    for (const shift of [138n, 92n, 46n, 0n]) residues.push((four >> shift) & ((1n << 46n) - 1n))
  }
  const rows = [residues.slice(0, ROW), residues.slice(ROW)]
  rows.forEach((row, prime) => {
    if (row.some(residue => residue >= PRIMES[prime])) throw new Malformed('a residue that is not below its prime')
  })
  return rows
}

export function packChunk (rows) {
  const parts = []
  const all = rows.flat()
  for (let at = 0; at < all.length; at += 4) {
    const four = all.slice(at, at + 4).reduce((sum, residue) => (sum << 46n) | residue, 0n)
    parts.push(four.toString(16).padStart(46, '0'))
  }
  return Buffer.from(parts.join(''), 'hex')
}

export function merkleRoot (level) {
  while (level.length > 1) {
    const next = []
    for (let at = 0; at + 1 < level.length; at += 2) next.push(sha256(Buffer.from([1]), level[at], level[at + 1]))
    if (level.length % 2 === 1) next.push(level[level.length - 1])
    level = next
  }
  return level[0]
}

export function chunkRoot (rows, chunk) {
  const leaves = rows.flatMap((row, prime) => Array.from({ length: ROW / LEAF }, (_, index) => {
    const residues = Buffer.alloc(8 * LEAF)
    for (let j = 0; j < LEAF; j++) residues.writeBigUInt64BE(row[LEAF * index + j], 8 * j)
    return sha256(Buffer.from([0]), u32(chunk), Buffer.from([prime]), u32(index), residues)
  }))
  return merkleRoot(leaves)
}

/** The residues of a fetched chunk, once its root is the digest that it was asked for by. */
export function verifyChunk (bytes, chunk, expected) {
  const rows = unpackChunk(bytes)
  if (!chunkRoot(rows, chunk).equals(Buffer.from(expected))) throw new Malformed(`chunk ${chunk} has another root`)
  return rows
}

/** Section 6.3, Pieces: whether these are the size and the pieces' hashes of the blob with this digest. */
export function checkTable ([size, hashes], expected) {
  if (size === 0 || hashes.length !== Math.ceil(size / PIECE)) throw new Malformed('another number of pieces')
  const found = hashes.length === 1 ? hashes[0] : tagged('pieces', size, merkleRoot(hashes))
  if (!Buffer.from(found).equals(Buffer.from(expected))) throw new Malformed('the table of another blob')
}

/** Sum of chunks, modulo each prime. */
export const addChunks = chunks => PRIMES.map((prime, row) =>
  Array.from({ length: ROW }, (_, i) => chunks.reduce((sum, chunk) => sum + chunk[row][i], 0n) % prime))

/** Section 6.1: the prefix of all protocol ids and topics. */
export const protocolPrefix = (chainId, subnet, params, task) =>
  tagged('protocol', chainId, subnet, params, task).toString('hex').slice(0, 16)
