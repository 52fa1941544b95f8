package rendering_test

import (
	"fmt"

	"github.com/ankisyncd/ankisyncd/rendering"
)

func Example() {
	card := &rendering.Card{
		Notetype: "Cloze", Cloze: true, Template: "Cloze", Deck: "Geography",
		Formats: rendering.Formats{
			Front: "{{cloze:Text}}",
			Back:  "{{cloze:Text}}{{#Extra}}<hr>{{Extra}}{{/Extra}}",
		},
		Fields: []rendering.Field{
			{Name: "Text", Text: "{{c1::Paris::city}} lies on the {{c2::Seine}} [sound:seine.mp3]"},
			{Name: "Extra", Text: "<br>"},
		},
	}
	out, err := rendering.Render(card, rendering.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(out.Question)
	fmt.Println(out.Answer)
	fmt.Println(out.AnswerAV[0].File)

	nt := &rendering.Notetype{Name: "Cloze", Cloze: true, Fields: []string{"Text", "Extra"}, Templates: []rendering.Formats{card.Formats}}
	fmt.Println(rendering.NewGenerator(nt).Ords([]string{card.Fields[0].Text, ""}, false))
	// Output:
	// <span class="cloze" data-cloze="Paris" data-ordinal="1">[city]</span> lies on the <span class="cloze-inactive" data-ordinal="2">Seine</span> [anki:play:q:0]
	// <span class="cloze" data-ordinal="1">Paris</span> lies on the <span class="cloze-inactive" data-ordinal="2">Seine</span> [anki:play:a:0]
	// seine.mp3
	// [0 1]
}
