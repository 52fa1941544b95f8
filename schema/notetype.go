package schema

// Kinds of notetypes (NotetypeConfig.Kind).
const (
	KindNormal int32 = 0
	KindCloze  int32 = 1
)

// Kinds of card requirements (CardRequirement.Kind).
const (
	RequireNone int32 = 0
	RequireAny  int32 = 1
	RequireAll  int32 = 2
)

// Notetype is a row of `notetypes` with its rows of `fields` and `templates`,
// or one object of schema 11's `models`. Fields and Templates are in order and
// their Ord is their index.
type Notetype struct {
	ID        int64 // epoch milliseconds
	Name      string
	Mtime     int64 // epoch seconds
	USN       int32
	Config    NotetypeConfig
	Fields    []Field
	Templates []Template
}

// Field is a row of `fields`.
type Field struct {
	Ord    uint32
	Name   string
	Config FieldConfig
}

// Template is a row of `templates`. Mtime (epoch seconds) and USN have no place
// in JSON and are 0 after parsing.
type Template struct {
	Ord    uint32
	Name   string
	Mtime  int64
	USN    int32
	Config TemplateConfig
}

// NotetypeConfig is Notetype.Config of docs/collection-format.md §3. In every
// message of this package Other is a JSON object of keys unknown to the
// schema-11 mapping (empty: none) and Unknown holds the protobuf fields that we
// do not know, in wire form.
type NotetypeConfig struct {
	Kind              int32
	SortFieldIdx      uint32
	CSS               string
	TargetDeckID      int64 // unused by current clients; 0 is JSON null
	LatexPre          string
	LatexPost         string
	LatexSVG          bool
	Reqs              []CardRequirement
	OriginalStockKind int32
	OriginalID        *int64
	Other             []byte
	Unknown           []byte
}

// CardRequirement says which fields make the card of a template non-empty.
type CardRequirement struct {
	CardOrd   uint32
	Kind      int32
	FieldOrds []uint32
	Unknown   []byte
}

// FieldConfig is Field.Config of docs/collection-format.md §3.
type FieldConfig struct {
	Sticky            bool
	RTL               bool
	FontName          string
	FontSize          uint32
	Description       string
	PlainText         bool
	Collapsed         bool
	ExcludeFromSearch bool
	ID                *int64
	Tag               *uint32
	PreventDeletion   bool
	Other             []byte
	Unknown           []byte
}

// TemplateConfig is Template.Config of docs/collection-format.md §3.
type TemplateConfig struct {
	QFormat         string
	AFormat         string
	QFormatBrowser  string
	AFormatBrowser  string
	TargetDeckID    int64 // 0: none
	BrowserFontName string
	BrowserFontSize uint32
	ID              *int64
	Other           []byte
	Unknown         []byte
}

func (c *NotetypeConfig) message() message {
	return message{&c.Unknown, []binding{
		{1, (*i32)(&c.Kind)},
		{2, (*u32)(&c.SortFieldIdx)},
		{3, (*str)(&c.CSS)},
		{4, (*i64)(&c.TargetDeckID)},
		{5, (*str)(&c.LatexPre)},
		{6, (*str)(&c.LatexPost)},
		{7, (*flag)(&c.LatexSVG)},
		{8, list[CardRequirement, *CardRequirement]{&c.Reqs}},
		{9, (*i32)(&c.OriginalStockKind)},
		{10, optI64(&c.OriginalID)},
		{255, (*raw)(&c.Other)},
	}}
}

func (c *CardRequirement) message() message {
	return message{&c.Unknown, []binding{
		{1, (*u32)(&c.CardOrd)},
		{2, (*i32)(&c.Kind)},
		{3, (*packedU32)(&c.FieldOrds)},
	}}
}

func (c *FieldConfig) message() message {
	return message{&c.Unknown, []binding{
		{1, (*flag)(&c.Sticky)},
		{2, (*flag)(&c.RTL)},
		{3, (*str)(&c.FontName)},
		{4, (*u32)(&c.FontSize)},
		{5, (*str)(&c.Description)},
		{6, (*flag)(&c.PlainText)},
		{7, (*flag)(&c.Collapsed)},
		{8, (*flag)(&c.ExcludeFromSearch)},
		{9, optI64(&c.ID)},
		{10, optU32(&c.Tag)},
		{11, (*flag)(&c.PreventDeletion)},
		{255, (*raw)(&c.Other)},
	}}
}

func (c *TemplateConfig) message() message {
	return message{&c.Unknown, []binding{
		{1, (*str)(&c.QFormat)},
		{2, (*str)(&c.AFormat)},
		{3, (*str)(&c.QFormatBrowser)},
		{4, (*str)(&c.AFormatBrowser)},
		{5, (*i64)(&c.TargetDeckID)},
		{6, (*str)(&c.BrowserFontName)},
		{7, (*u32)(&c.BrowserFontSize)},
		{8, optI64(&c.ID)},
		{255, (*raw)(&c.Other)},
	}}
}

// DecodeNotetypeConfig reads the blob of notetypes.config.
func DecodeNotetypeConfig(b []byte) (NotetypeConfig, error) {
	return decodeMessage[NotetypeConfig](b, "notetype config")
}

// Encode writes the blob of notetypes.config.
func (c NotetypeConfig) Encode() []byte { return c.message().append([]byte{}) }

// DecodeFieldConfig reads the blob of fields.config.
func DecodeFieldConfig(b []byte) (FieldConfig, error) {
	return decodeMessage[FieldConfig](b, "field config")
}

// Encode writes the blob of fields.config.
func (c FieldConfig) Encode() []byte { return c.message().append([]byte{}) }

// DecodeTemplateConfig reads the blob of templates.config.
func DecodeTemplateConfig(b []byte) (TemplateConfig, error) {
	return decodeMessage[TemplateConfig](b, "template config")
}

// Encode writes the blob of templates.config.
func (c TemplateConfig) Encode() []byte { return c.message().append([]byte{}) }
