package schema

import (
	"bytes"
	"math"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// message binds the fields of one Go struct to protobuf tags, in ascending
// order; one table serves both directions.
type message struct {
	unknown *[]byte
	fields  []binding
}

type binding struct {
	num protowire.Number
	val value
}

// value is one protobuf field. append writes nothing for an absent value;
// consume reads the payload after the tag and returns its length, or a negative
// number if wire type or payload do not fit.
type value interface {
	append(b []byte, num protowire.Number) []byte
	consume(typ protowire.Type, b []byte) int
}

// messager is a pointer to a struct with a table.
type messager[T any] interface {
	*T
	message() message
}

const badPayload = -1

func decodeMessage[T any, P messager[T]](b []byte, what string) (T, error) {
	var v, zero T
	if !P(&v).message().parse(b) {
		return zero, invalid("%s: malformed protobuf", what)
	}
	return v, nil
}

// parse reads b into the bound fields. As in protobuf generally, the last of
// several scalars wins, submessages merge, and unknown fields are kept.
func (m message) parse(b []byte) bool {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		i, known := slices.BinarySearchFunc(m.fields, num, func(f binding, n protowire.Number) int { return int(f.num) - int(n) })
		var size int
		if known {
			size = m.fields[i].val.consume(typ, b[n:])
		} else {
			size = protowire.ConsumeFieldValue(num, typ, b[n:])
		}
		if size < 0 {
			return false
		}
		if !known {
			*m.unknown = append(*m.unknown, b[:n+size]...)
		}
		b = b[n+size:]
	}
	return true
}

// append writes known and unknown fields in ascending tag order.
func (m message) append(b []byte) []byte {
	unknown := splitUnknown(*m.unknown)
	for _, f := range m.fields {
		for len(unknown) > 0 && unknown[0].num < f.num {
			b = append(b, unknown[0].wire...)
			unknown = unknown[1:]
		}
		b = f.val.append(b, f.num)
	}
	for _, u := range unknown {
		b = append(b, u.wire...)
	}
	return b
}

type unknownField struct {
	num  protowire.Number
	wire []byte
}

// splitUnknown cuts kept fields apart and sorts them by tag; fields of one tag
// stay in their order.
func splitUnknown(b []byte) []unknownField {
	if len(b) == 0 {
		return nil
	}
	var out []unknownField
	for len(b) > 0 {
		num, _, n := protowire.ConsumeField(b)
		if n < 0 {
			break // not from parse: somebody set the field by hand
		}
		out = append(out, unknownField{num, b[:n]})
		b = b[n:]
	}
	slices.SortStableFunc(out, func(a, b unknownField) int { return int(a.num) - int(b.num) })
	return out
}

type (
	i32       int32
	u32       uint32
	i64       int64
	flag      bool
	f32       float32
	str       string
	raw       []byte
	packedU32 []uint32
	packedF32 []float32
)

func appendVarint(b []byte, num protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}

func consumeVarint(typ protowire.Type, b []byte) (uint64, int) {
	if typ != protowire.VarintType {
		return 0, badPayload
	}
	return protowire.ConsumeVarint(b)
}

func consumeBytes(typ protowire.Type, b []byte) ([]byte, int) {
	if typ != protowire.BytesType {
		return nil, badPayload
	}
	return protowire.ConsumeBytes(b)
}

// A scalar is a value that can also be written although it is zero, which is
// what `optional` fields do.
type scalar interface {
	value
	appendAlways(b []byte, num protowire.Number) []byte
}

func (v *i32) appendAlways(b []byte, num protowire.Number) []byte {
	return appendVarint(b, num, uint64(int64(*v))) // negative: ten bytes
}

func (v *i32) append(b []byte, num protowire.Number) []byte {
	if *v == 0 {
		return b
	}
	return v.appendAlways(b, num)
}

func (v *i32) consume(typ protowire.Type, b []byte) int {
	x, n := consumeVarint(typ, b)
	*v = i32(int32(x))
	return n
}

func (v *u32) appendAlways(b []byte, num protowire.Number) []byte {
	return appendVarint(b, num, uint64(*v))
}

func (v *u32) append(b []byte, num protowire.Number) []byte {
	if *v == 0 {
		return b
	}
	return v.appendAlways(b, num)
}

func (v *u32) consume(typ protowire.Type, b []byte) int {
	x, n := consumeVarint(typ, b)
	*v = u32(uint32(x))
	return n
}

func (v *i64) appendAlways(b []byte, num protowire.Number) []byte {
	return appendVarint(b, num, uint64(*v))
}

func (v *i64) append(b []byte, num protowire.Number) []byte {
	if *v == 0 {
		return b
	}
	return v.appendAlways(b, num)
}

func (v *i64) consume(typ protowire.Type, b []byte) int {
	x, n := consumeVarint(typ, b)
	*v = i64(x)
	return n
}

func (v *flag) append(b []byte, num protowire.Number) []byte {
	if !*v {
		return b
	}
	return appendVarint(b, num, 1)
}

func (v *flag) consume(typ protowire.Type, b []byte) int {
	x, n := consumeVarint(typ, b)
	*v = x != 0
	return n
}

func (v *f32) appendAlways(b []byte, num protowire.Number) []byte {
	return protowire.AppendFixed32(protowire.AppendTag(b, num, protowire.Fixed32Type), math.Float32bits(float32(*v)))
}

func (v *f32) append(b []byte, num protowire.Number) []byte {
	if *v == 0 {
		return b
	}
	return v.appendAlways(b, num)
}

func (v *f32) consume(typ protowire.Type, b []byte) int {
	if typ != protowire.Fixed32Type {
		return badPayload
	}
	x, n := protowire.ConsumeFixed32(b)
	*v = f32(math.Float32frombits(x))
	return n
}

func (v *str) append(b []byte, num protowire.Number) []byte {
	if *v == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), string(*v))
}

func (v *str) consume(typ protowire.Type, b []byte) int {
	x, n := consumeBytes(typ, b)
	if n < 0 || !utf8.Valid(x) {
		return badPayload
	}
	*v = str(x)
	return n
}

func (v *raw) append(b []byte, num protowire.Number) []byte {
	if len(*v) == 0 {
		return b
	}
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), *v)
}

func (v *raw) consume(typ protowire.Type, b []byte) int {
	x, n := consumeBytes(typ, b)
	*v = nil
	if len(x) > 0 {
		*v = bytes.Clone(x) // the caller's buffer may be reused
	}
	return n
}

func (v *packedU32) append(b []byte, num protowire.Number) []byte {
	if len(*v) == 0 {
		return b
	}
	var p []byte
	for _, x := range *v {
		p = protowire.AppendVarint(p, uint64(x))
	}
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), p)
}

// consume takes the packed form and, as every parser must, the plain one.
func (v *packedU32) consume(typ protowire.Type, b []byte) int {
	if typ == protowire.VarintType {
		x, n := protowire.ConsumeVarint(b)
		*v = append(*v, uint32(x))
		return n
	}
	p, n := consumeBytes(typ, b)
	for len(p) > 0 {
		x, m := protowire.ConsumeVarint(p)
		if m < 0 {
			return badPayload
		}
		*v = append(*v, uint32(x))
		p = p[m:]
	}
	return n
}

func (v *packedF32) append(b []byte, num protowire.Number) []byte {
	if len(*v) == 0 {
		return b
	}
	b = protowire.AppendTag(b, num, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(4*len(*v)))
	for _, x := range *v {
		b = protowire.AppendFixed32(b, math.Float32bits(x))
	}
	return b
}

func (v *packedF32) consume(typ protowire.Type, b []byte) int {
	if typ == protowire.Fixed32Type {
		x, n := protowire.ConsumeFixed32(b)
		*v = append(*v, math.Float32frombits(x))
		return n
	}
	p, n := consumeBytes(typ, b)
	if n < 0 || len(p)%4 != 0 {
		return badPayload
	}
	for len(p) > 0 {
		x, m := protowire.ConsumeFixed32(p)
		*v = append(*v, math.Float32frombits(x))
		p = p[m:]
	}
	return n
}
