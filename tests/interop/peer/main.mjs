// A peer of another implementation, driven line by line: a JSON command on stdin, a JSON answer on stdout.

import { createInterface } from 'node:readline'
import { multiaddr } from '@multiformats/multiaddr'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { publicKeyFromRaw } from '@libp2p/crypto/keys'
import { pack, unpack } from './codec.mjs'
import { BlobRequest, Info, PIECE, PeersResponse, PiecesResponse, fetchBlob, request, send, serve, startHost } from './network.mjs'
import {
  TAG, addChunks, checkListCertificate, checkTable, chunkRoot, drawEpoch, listDigest, open, packChunk, protocolPrefix, publicOf,
  seal, sha256, verifyChunk
} from './rules.mjs'

const hex = string => Buffer.from(string, 'hex')
const text = bytes => Buffer.from(bytes).toString('hex')
const idOf = key => peerIdFromPublicKey(publicKeyFromRaw(key))
const same = (a, b) => Buffer.compare(a, b) === 0

class Peer {
  #gossip = [] // [topic, envelope's message, from], in the order of arrival
  #blobs = new Map()
  #streams = []

  async start ({ seed, chain, bootstrap }) {
    this.seed = hex(seed)
    this.key = publicOf(this.seed)
    const params = unpack(hex(chain.params), () => {}, 1024)
    this.threshold = params[5]
    this.prefix = protocolPrefix(chain.chain_id, chain.subnet, hex(chain.params), hex(chain.task))
    this.epoch = drawEpoch({
      chainId: chain.chain_id,
      subnet: chain.subnet,
      epoch: chain.epoch,
      blockHash: hex(chain.block_hash),
      roster: chain.roster.map(([peer, roles]) => [hex(peer), roles]),
      params: { kMin: params[2], dropouts: params[3], committee: params[4] }
    })
    this.host = await startHost(this.seed)
    this.bootstrap = (await this.host.dial(multiaddr(bootstrap))).remotePeer
    await serve(this.host, `/2pm/${this.prefix}/blob/1`, asked => this.#serveBlob(asked))
    const info = await request(this.host, this.bootstrap, '/2pm/info/1', Buffer.alloc(0))
    const [chainId, registry, subnet] = unpack(info, Info, 1024)
    return { peer: text(this.key), prefix: this.prefix, info: [chainId, text(registry), subnet] }
  }

  #serveBlob (asked) {
    const [digests, offset] = unpack(asked, BlobRequest, 65_536)
    return pack([digests.map(digest => {
      const blob = this.#blobs.get(text(digest)) ?? Buffer.alloc(0)
      return [blob.length, blob.subarray(Number(offset), Number(offset) + (1 << 20))]
    })])
  }

  /** Tells its address, learns others', connects to them and follows both topics. */
  async join () {
    const addresses = this.host.getMultiaddrs().map(String)
    const record = seal(this.seed, TAG.AddressRecord, [Date.now(), addresses])
    const answer = await request(this.host, this.bootstrap, `/2pm/${this.prefix}/peers/1`, pack([record, []]))
    const [records] = unpack(answer, (value, where) => PeersResponse(value[0], where), 4 << 20)
    const known = records.map(each => open(each))
      .filter(({ tag, signer }) => tag === TAG.AddressRecord && !same(signer, this.key))
    for (const { fields: [, [address]], signer } of known) {
      if (!idOf(signer).equals(this.bootstrap)) await this.host.dial(multiaddr(address))
    }
    const { pubsub } = this.host.services
    pubsub.addEventListener('gossipsub:message', ({ detail: { msg, propagationSource } }) => {
      this.#gossip.push({ topic: msg.topic, data: msg.data, origin: msg.from, by: propagationSource })
    })
    for (const topic of ['subnet', 'proof']) pubsub.subscribe(`/2pm/${this.prefix}/${topic}`)
    return { known: known.map(({ signer }) => text(signer)).sort() }
  }

  /** How many peers are in its mesh for a topic. */
  async mesh ({ topic }) {
    return { peers: this.host.services.pubsub.getMeshPeers(`/2pm/${this.prefix}/${topic}`).length }
  }

  #heard (tag) {
    return this.#gossip.map(each => ({ ...each, message: open(each.data, 65_536) })).filter(({ message, origin }) =>
      message.tag === tag && idOf(message.signer).equals(origin))
  }

  async count ({ tag }) {
    return { count: this.#heard(tag).length }
  }

  /** Section 12: recomputes each aggregate it heard from the contributions that the certified list names. */
  async verify ({ height }) {
    const [certificate] = this.#heard(TAG.ListCertificate)
    const sets = checkListCertificate(certificate.message.fields, this.epoch, this.threshold)
    const verdicts = []
    for (const { message: { fields, signer } } of this.#heard(TAG.Aggregate)) {
      const [slot, cell, list, stripes, roots] = fields
      const right = pack(slot).equals(pack(this.epoch.slot(height))) && same(list, sets) &&
        this.epoch.aggregators(height, cell, stripes[0]).some(peer => same(peer, signer))
      const found = await this.#sum(certificate.message.fields[0], cell, stripes)
      const equal = roots.length === found.length && roots.every((root, i) => same(root, found[i].root))
      verdicts.push({ signer: text(signer), right: right && equal })
    }
    return { verdicts }
  }

  async #sum ([, cells], cell, stripes) {
    const [, contributions] = cells.find(([each]) => each === cell)
    const manifests = []
    for (const [contributor, digest] of contributions) manifests.push(await this.#manifest(contributor, digest, cell))
    const sums = []
    const indices = stripes.flatMap(s => Array.from({ length: 16 }, (_, i) => 16 * s + i))
    for (const index of indices.filter(i => i < manifests[0].length)) {
      const chunks = []
      for (const roots of manifests) chunks.push(verifyChunk(await this.#fetch(roots[index]), index, roots[index]))
      const rows = addChunks(chunks)
      sums.push({ root: chunkRoot(rows, index), bytes: packChunk(rows) })
    }
    return sums
  }

  async #manifest (contributor, digest, cell) {
    const message = open(await this.#fetch(digest))
    const fits = message.tag === TAG.Manifest && same(message.digest, digest) && same(message.signer, contributor)
    if (!fits || message.fields[1] !== cell) throw new Error('another manifest')
    return message.fields[3]
  }

  async #fetch (digest) {
    for (const { remotePeer } of this.host.getConnections()) {
      const blob = await fetchBlob(this.host, remotePeer, this.prefix, pack, digest)
      if (blob !== null) return blob
    }
    throw new Error('nobody has it')
  }

  /** Fetches one chunk by digest and says whether it is what its digest promises. */
  async fetch ({ digest, chunk }) {
    const blob = await this.#fetch(hex(digest))
    verifyChunk(blob, chunk, hex(digest))
    return { bytes: blob.length, sha256: text(sha256(blob)) }
  }

  /** Fetches a blob in pieces, from all peers in turns; who sends a wrong one is named and asked for no more. */
  async pieces ({ digest }) {
    const wanted = hex(digest)
    const ask = (peer, protocol, ...fields) => request(this.host, peer, `/2pm/${this.prefix}/${protocol}`, pack(fields))
    const holders = [...new Map(this.host.getConnections().map(({ remotePeer }) => [`${remotePeer}`, remotePeer])).values()]
    let table = null
    for (const peer of holders) {
      const [found] = unpack(await ask(peer, 'pieces/1', wanted), PiecesResponse, 1 << 19)
      if (found[0] === 0) continue
      checkTable(found, wanted)
      table = found
    }
    const [size, hashes] = table
    const [pieces, liars, asked] = [[], [], []]
    for (const index of hashes.keys()) {
      while (pieces[index] === undefined) {
        const peer = holders[index % holders.length]
        const piece = await ask(peer, 'piece/1', wanted, index)
        asked.push([text(peer.publicKey.raw), index])
        const right = piece.length === Math.min(PIECE, size - PIECE * index) && same(sha256(piece), hashes[index])
        if (right) pieces[index] = piece
        else liars.push(text(holders.splice(holders.indexOf(peer), 1)[0].publicKey.raw))
      }
    }
    return { bytes: size, sha256: text(sha256(...pieces)), liars, holders: new Set(asked.map(([peer]) => peer)).size }
  }

  /** Adds a cell like section 10.4, serves the sum, announces it by gossip and to a member directly. */
  async aggregate ({ height, cell, member, spoil }) {
    const [{ message: { fields: [sets] } }] = this.#heard(TAG.ListCertificate)
    const sums = await this.#sum(sets, cell, [0])
    for (const { root, bytes } of sums) this.#blobs.set(text(root), bytes)
    const statement = new Uint8Array(0) // in this scene nobody has a stake
    const fields = [this.epoch.slot(height), cell, listDigest(sets), [0], sums.map(({ root }) => root), statement]
    const envelope = seal(this.seed, TAG.Aggregate, fields)
    if (spoil === 'signature') envelope[envelope.length - 1] ^= 1
    const data = spoil === 'cell' ? seal(this.seed, TAG.Aggregate, fields.with(1, 500)) : envelope
    await this.host.services.pubsub.publish(`/2pm/${this.prefix}/proof`, data)
    if (member !== undefined) {
      this.#streams.push(await send(this.host, idOf(hex(member)), `/2pm/${this.prefix}/direct/1`, data))
    }
    return { roots: sums.map(({ root }) => text(root)), envelope: text(data) }
  }

  async stop () {
    await this.host.stop()
    return {}
  }
}

const peer = new Peer()
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...parameters } = JSON.parse(line)
  try {
    console.log(JSON.stringify(await peer[command](parameters)))
  } catch (error) {
    console.log(JSON.stringify({ error: error.stack }))
  }
}
process.exit(0)
