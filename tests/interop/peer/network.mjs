// Section 6: libp2p, framed requests and direct messages, gossip.

import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { byteStream } from '@libp2p/utils'
import { createLibp2p } from 'libp2p'
import { bin, list, record, uint, unpack } from './codec.mjs'

const RESPONSE_MAX = 4 << 20
const REQUEST_MAX = 64 << 10
const PART = 1 << 20
export const PIECE = 1 << 18

export const Info = record(uint(64), bin(20), uint(64))
export const PeersResponse = list(bin(1, 8192), 0, 512)
export const BlobRequest = record(list(bin(32), 1, 16), uint(64))
export const BlobResponse = record(list(record(uint(64), bin(0, PART)), 0, 16))

export const PiecesResponse = record(record(uint(64), list(bin(32), 0, 4096)), bin(0, PIECE))

export async function startHost (seed) {
  return await createLibp2p({
    privateKey: await generateKeyPairFromSeed('Ed25519', seed),
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      ping: ping(),
      pubsub: gossipsub({ globalSignaturePolicy: 'StrictSign', D: 6, Dlo: 4, Dhi: 12, emitSelf: false })
    }
  })
}

const framed = payload => {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(payload.length)
  return Buffer.concat([length, payload])
}

async function readFrame (bytes, most) {
  const length = Buffer.from((await bytes.read({ bytes: 4 })).subarray()).readUInt32BE()
  if (length > most) throw new Error(`a frame of ${length} bytes`)
  return length === 0 ? Buffer.alloc(0) : Buffer.from((await bytes.read({ bytes: length })).subarray())
}

/** One request and its response (section 6.3). */
export async function request (host, peer, protocol, payload) {
  const stream = await host.dialProtocol(peer, protocol)
  const bytes = byteStream(stream, { maxBufferSize: 2 * RESPONSE_MAX })
  try {
    await bytes.write(framed(payload))
    return await readFrame(bytes, RESPONSE_MAX)
  } finally {
    await stream.close()
  }
}

/** One direct message (section 6.2). */
export async function send (host, peer, protocol, envelope) {
  const stream = await host.dialProtocol(peer, protocol)
  await byteStream(stream).write(framed(envelope))
  return stream
}

/** Answers requests of a protocol: `answer(request bytes) -> response bytes`. */
export async function serve (host, protocol, answer) {
  await host.handle(protocol, async stream => {
    const bytes = byteStream(stream)
    try {
      while (true) await bytes.write(framed(answer(await readFrame(bytes, REQUEST_MAX))))
    } catch (error) {
      if (stream.status === 'open') stream.abort(error) // a malformed request; otherwise the asker has left
    }
  })
}

/** A blob whole, by digest; null if the peer has it not. Its digest is for the caller to check. */
export async function fetchBlob (host, peer, prefix, pack, digest) {
  const parts = []
  let [size, have] = [1, 0]
  while (have < size) {
    const answer = await request(host, peer, `/2pm/${prefix}/blob/1`, pack([[digest], have]))
    const [[[total, data]]] = unpack(answer, BlobResponse, RESPONSE_MAX)
    if (total === 0) return null
    if (data.length !== Math.min(PART, total - have)) throw new Error('a part of another length')
    parts.push(data)
    have += data.length
    size = total
  }
  return Buffer.concat(parts)
}
