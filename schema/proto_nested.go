package schema

import "google.golang.org/protobuf/encoding/protowire"

// maxList bounds repeated messages: their ords are 16 bits wide in JSON, and a
// blob of two-byte elements must not grow into gigabytes of structs.
const maxList = 1 << 16

// optional is a scalar with presence: nil is absent, and zero is written.
type optional[T any] struct {
	p  **T
	as func(*T) scalar
}

func optI64(p **int64) value { return optional[int64]{p, func(v *int64) scalar { return (*i64)(v) }} }
func optU32(p **uint32) value {
	return optional[uint32]{p, func(v *uint32) scalar { return (*u32)(v) }}
}
func optF32(p **float32) value {
	return optional[float32]{p, func(v *float32) scalar { return (*f32)(v) }}
}

func (o optional[T]) append(b []byte, num protowire.Number) []byte {
	if *o.p == nil {
		return b
	}
	return o.as(*o.p).appendAlways(b, num)
}

func (o optional[T]) consume(typ protowire.Type, b []byte) int {
	v := new(T)
	n := o.as(v).consume(typ, b)
	*o.p = v
	return n
}

// list is a repeated message.
type list[T any, P messager[T]] struct{ p *[]T }

func (l list[T, P]) append(b []byte, num protowire.Number) []byte {
	for i := range *l.p {
		b = appendNested(b, num, P(&(*l.p)[i]).message())
	}
	return b
}

func (l list[T, P]) consume(typ protowire.Type, b []byte) int {
	x, n := consumeBytes(typ, b)
	if n < 0 || len(*l.p) >= maxList {
		return badPayload
	}
	var v T
	if !P(&v).message().parse(x) {
		return badPayload
	}
	*l.p = append(*l.p, v)
	return n
}

// one is a message field, or one arm of a oneof; chosen clears the other arms.
type one[T any, P messager[T]] struct {
	p      **T
	chosen func()
}

func (o one[T, P]) append(b []byte, num protowire.Number) []byte {
	if *o.p == nil {
		return b
	}
	return appendNested(b, num, P(*o.p).message())
}

func (o one[T, P]) consume(typ protowire.Type, b []byte) int {
	x, n := consumeBytes(typ, b)
	if n < 0 {
		return badPayload
	}
	if *o.p == nil {
		*o.p = new(T)
	}
	if o.chosen != nil {
		o.chosen()
	}
	if !P(*o.p).message().parse(x) {
		return badPayload
	}
	return n
}

func appendNested(b []byte, num protowire.Number, m message) []byte {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	return protowire.AppendBytes(b, m.append(nil))
}
