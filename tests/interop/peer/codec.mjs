// MessagePack as protocols/README.md section 2 restricts it: nil, integers, bin, str, arrays; one encoding a value.

export class Malformed extends Error {}

const ARRAY_MAX = 65_536
const utf8 = new TextDecoder('utf-8', { fatal: true })

function head (code, size, value) {
  const out = Buffer.alloc(1 + size)
  out[0] = code
  if (size === 8) out.writeBigUInt64BE(BigInt(value), 1)
  else if (size > 0) out.writeUIntBE(Number(value), 1, size)
  return out
}

function integer (value) {
  const number = BigInt(value)
  if (number < 0n || number >= 1n << 64n) throw new RangeError(`${number} is no u64`)
  if (number < 128n) return Buffer.from([Number(number)])
  for (const [code, size] of [[0xcc, 1], [0xcd, 2], [0xce, 4], [0xcf, 8]]) {
    if (number < 1n << BigInt(8 * size)) return head(code, size, number)
  }
}

function sized (count, forms) {
  const [code, size, added] = forms.find(([, , , above]) => count < above)
  return added ? Buffer.from([code | count]) : head(code, size, count)
}

/** The shortest form of null, number, bigint, Uint8Array, string or array. */
export function pack (value) {
  if (value === null) return Buffer.from([0xc0])
  if (typeof value === 'number' || typeof value === 'bigint') return integer(value)
  if (typeof value === 'string') {
    const bytes = Buffer.from(value)
    const start = sized(bytes.length, [[0xa0, 0, true, 32], [0xd9, 1, false, 256], [0xda, 2, false, 65_536]])
    return Buffer.concat([start, bytes])
  }
  if (value instanceof Uint8Array) {
    const start = sized(value.length, [[0xc4, 1, false, 256], [0xc5, 2, false, 65_536], [0xc6, 4, false, 2 ** 32]])
    return Buffer.concat([start, value])
  }
  const start = sized(value.length, [[0x90, 0, true, 16], [0xdc, 2, false, 65_536], [0xdd, 4, false, 2 ** 32]])
  return Buffer.concat([start, ...value.map(pack)])
}

class Reader {
  constructor (data) { this.data = data; this.at = 0 }

  take (count) {
    if (this.at + count > this.data.length) throw new Malformed('cut off')
    this.at += count
    return this.data.subarray(this.at - count, this.at)
  }

  number (size) {
    const bytes = this.take(size)
    if (size < 8) return bytes.readUIntBE(0, size)
    const value = bytes.readBigUInt64BE()
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value
  }

  items (count, depth) {
    if (count > ARRAY_MAX || count > this.data.length - this.at) throw new Malformed(`an array of ${count}`)
    return Array.from({ length: count }, () => this.value(depth + 1))
  }

  string (count) {
    try {
      return utf8.decode(this.take(count))
    } catch {
      throw new Malformed('not UTF-8')
    }
  }

  value (depth = 0) {
    if (depth > 16) throw new Malformed('too deep')
    const code = this.take(1)[0]
    if (code < 0x80) return code
    if (code >= 0x90 && code < 0xa0) return this.items(code & 15, depth)
    if (code >= 0xa0 && code < 0xc0) return this.string(code & 31)
    switch (code) {
      case 0xc0: return null
      case 0xc4: case 0xc5: case 0xc6: return this.take(this.number(1 << (code - 0xc4)))
      case 0xcc: case 0xcd: case 0xce: case 0xcf: return this.number(1 << (code - 0xcc))
      case 0xd9: case 0xda: case 0xdb: return this.string(this.number(1 << (code - 0xd9)))
      case 0xdc: case 0xdd: return this.items(this.number(2 << (code - 0xdc)), 0)
    }
    throw new Malformed(`type 0x${code.toString(16)}`)
  }
}

/** The plain value of canonical bytes that fit `shape`; throws Malformed. */
export function unpack (data, shape, most) {
  if (data.length > most) throw new Malformed(`${data.length} bytes, ${most} allowed`)
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length)
  const value = new Reader(bytes).value()
  shape(value, 'message')
  if (!pack(value).equals(bytes)) throw new Malformed('not canonical')
  return value
}

// Shapes: functions that throw where a value is not what section 7's tables say.

function need (fits, where, what) {
  if (!fits) throw new Malformed(`${where}: no ${what}`)
}

export const uint = bits => (value, where) => need(
  (typeof value === 'number' || typeof value === 'bigint') && BigInt(value) < 1n << BigInt(bits), where, `u${bits}`)
export const bin = (least, most = least) => (value, where) => need(
  value instanceof Uint8Array && value.length >= least && value.length <= most, where, `bin[${least}..${most}]`)
export const str = (least, most) => (value, where) => need(
  typeof value === 'string' && Buffer.byteLength(value) >= least && Buffer.byteLength(value) <= most, where, 'str')
export const list = (item, least, most) => (value, where) => {
  need(Array.isArray(value) && value.length >= least && value.length <= most, where, `array of ${least}..${most}`)
  value.forEach((each, index) => item(each, `${where}[${index}]`))
}
export const record = (...fields) => (value, where) => {
  need(Array.isArray(value) && value.length === fields.length, where, `record of ${fields.length}`)
  fields.forEach((field, index) => field(value[index], `${where}.${index}`))
}
export const maybe = shape => (value, where) => value === null || shape(value, where)
