package pdf

import (
	"strconv"
	"strings"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

func fromCharset(name string) (enc [256]string) {
	m := charmap.Windows1252
	if name == "macintosh" {
		m = charmap.Macintosh
	}
	for c := 32; c < 256; c++ {
		if r := m.DecodeByte(byte(c)); r != '\uFFFD' {
			enc[c] = string(r)
		}
	}
	return enc
}

// standardHigh is the upper half of Adobe's standard encoding, from 0xA1.
const standardHigh = "¡¢£⁄¥ƒ§¤'“«‹›ﬁﬂ\x00–†‡·\x00¶•‚„”»…‰\x00¿\x00`´ˆ˜¯˘˙¨\x00˚¸\x00˝˛ˇ—" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00Æ\x00ª\x00\x00\x00\x00ŁØŒº\x00\x00\x00\x00\x00æ\x00\x00\x00ı\x00\x00łøœß"

func standardEncoding() (enc [256]string) {
	for c := 32; c < 127; c++ {
		enc[c] = string(rune(c))
	}
	enc['\''], enc['`'] = "’", "‘"
	c := 0xA1
	for _, r := range standardHigh {
		if r != 0 && c < 256 {
			enc[c] = string(r)
		}
		c++
	}
	return enc
}

// glyphNames are the names of glyphs that fonts commonly use, beside letters
// and accents, which are composed.
var glyphNames = map[string]string{
	"space": " ", "nbspace": " ", "exclam": "!", "quotedbl": "\"", "numbersign": "#", "dollar": "$", "percent": "%",
	"ampersand": "&", "quotesingle": "'", "parenleft": "(", "parenright": ")", "asterisk": "*", "plus": "+", "comma": ",",
	"hyphen": "-", "sfthyphen": "-", "minus": "−", "period": ".", "slash": "/", "colon": ":", "semicolon": ";", "less": "<",
	"equal": "=", "greater": ">", "question": "?", "at": "@", "bracketleft": "[", "backslash": "\\", "bracketright": "]",
	"asciicircum": "^", "underscore": "_", "grave": "`", "braceleft": "{", "bar": "|", "braceright": "}", "asciitilde": "~",
	"zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8",
	"nine": "9", "exclamdown": "¡", "cent": "¢", "sterling": "£", "currency": "¤", "yen": "¥", "brokenbar": "¦",
	"section": "§", "dieresis": "¨", "copyright": "©", "ordfeminine": "ª", "guillemotleft": "«", "logicalnot": "¬",
	"registered": "®", "macron": "¯", "degree": "°", "plusminus": "±", "acute": "´", "mu": "µ", "paragraph": "¶",
	"periodcentered": "·", "cedilla": "¸", "ordmasculine": "º", "guillemotright": "»", "onequarter": "¼", "onehalf": "½",
	"threequarters": "¾", "questiondown": "¿", "multiply": "×", "divide": "÷", "onesuperior": "¹", "twosuperior": "²",
	"threesuperior": "³", "AE": "Æ", "ae": "æ", "OE": "Œ", "oe": "œ", "Oslash": "Ø", "oslash": "ø", "Lslash": "Ł",
	"lslash": "ł", "Eth": "Ð", "eth": "ð", "Thorn": "Þ", "thorn": "þ", "germandbls": "ß", "dotlessi": "ı", "dotlessj": "ȷ",
	"florin": "ƒ", "circumflex": "ˆ", "tilde": "˜", "caron": "ˇ", "breve": "˘", "dotaccent": "˙", "ring": "˚",
	"ogonek": "˛", "hungarumlaut": "˝", "endash": "–", "emdash": "—", "quoteleft": "‘", "quoteright": "’",
	"quotesinglbase": "‚", "quotedblleft": "“", "quotedblright": "”", "quotedblbase": "„", "dagger": "†", "daggerdbl": "‡",
	"bullet": "•", "ellipsis": "…", "perthousand": "‰", "guilsinglleft": "‹", "guilsinglright": "›", "fraction": "⁄",
	"Euro": "€", "trademark": "™", "partialdiff": "∂", "Delta": "Δ", "product": "∏", "summation": "∑", "radical": "√",
	"infinity": "∞", "integral": "∫", "approxequal": "≈", "notequal": "≠", "lessequal": "≤", "greaterequal": "≥",
	"lozenge": "◊", "ff": "ff", "fi": "fi", "fl": "fl", "ffi": "ffi", "ffl": "ffl", "Omega": "Ω", "alpha": "α", "beta": "β",
	"gamma": "γ", "delta": "δ", "epsilon": "ε", "epsilon1": "ϵ", "zeta": "ζ", "eta": "η", "theta": "θ", "iota": "ι",
	"kappa": "κ", "lambda": "λ", "nu": "ν", "xi": "ξ", "omicron": "ο", "pi": "π", "rho": "ρ", "sigma": "σ", "sigma1": "ς",
	"tau": "τ", "upsilon": "υ", "phi": "φ", "phi1": "ϕ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Theta": "Θ",
	"Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Upsilon": "Υ", "Phi": "Φ", "Psi": "Ψ", "arrowleft": "←",
	"arrowup": "↑", "arrowright": "→", "arrowdown": "↓", "arrowboth": "↔", "arrowdblright": "⇒", "element": "∈",
	"intersection": "∩", "union": "∪", "asteriskmath": "∗", "similar": "∼", "proportional": "∝", "universal": "∀",
	"existential": "∃", "emptyset": "∅", "angleleft": "⟨", "angleright": "⟩", "bardbl": "‖", "prime": "′",
	"circle": "○", "square": "□", "blacksquare": "■", "triangle": "△", "star": "⋆", "checkmark": "✓", "openbullet": "◦",
	"visiblespace": " ", "nobreakspace": " ", "dotmath": "⋅", "periodinferior": ".", "commaaccent": ",",
}

// accents are the endings that compose a letter with a mark.
var accents = []struct{ name, mark string }{
	{"grave", "\u0300"}, {"acute", "\u0301"}, {"circumflex", "\u0302"}, {"tilde", "\u0303"}, {"dieresis", "\u0308"},
	{"ring", "\u030A"}, {"caron", "\u030C"}, {"cedilla", "\u0327"}, {"commaaccent", "\u0326"}, {"ogonek", "\u0328"},
	{"macron", "\u0304"}, {"breve", "\u0306"}, {"dotaccent", "\u0307"}, {"hungarumlaut", "\u030B"},
}

// glyphText is the text of a glyph by its name, or "" when the name says nothing.
func glyphText(name string) string {
	if s, ok := glyphNames[name]; ok {
		return s
	}
	base, _, _ := strings.Cut(name, ".")
	if base != name && base != "" {
		return glyphText(base)
	}
	if len(name) == 1 {
		return name
	}
	if strings.Contains(name, "_") { // a ligature of named glyphs
		var out strings.Builder
		for part := range strings.SplitSeq(name, "_") {
			out.WriteString(glyphText(part))
		}
		return out.String()
	}
	if hex, ok := strings.CutPrefix(name, "uni"); ok && len(hex) >= 4 && len(hex)%4 == 0 {
		var out strings.Builder
		for i := 0; i < len(hex); i += 4 {
			v, err := strconv.ParseUint(hex[i:i+4], 16, 16)
			if err != nil {
				return ""
			}
			out.WriteRune(rune(v))
		}
		return out.String()
	}
	if hex, ok := strings.CutPrefix(name, "u"); ok && len(hex) >= 4 && len(hex) <= 6 {
		if v, err := strconv.ParseUint(hex, 16, 32); err == nil {
			return string(rune(v))
		}
	}
	for _, a := range accents {
		if letter, ok := strings.CutSuffix(name, a.name); ok && letter != "" {
			if letter == "dotlessi" {
				letter = "i"
			}
			if s := glyphText(letter); len(s) == 1 {
				return norm.NFC.String(s + a.mark)
			}
		}
	}
	return ""
}
