"""Names as nobody should give them, and as somebody may."""

NASTY = (
    '=HYPERLINK("http://evil.example","x")', "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", "\n=1", "'=1",
    "''=1", "\uff1d1", "-1.5", "+3", "1e5", "a|b", "a\nb", "a\r\n\r\n# b", "a\\|b", "`code`", "``", "*bold* _it_ __b__",
    "[a](http://evil.example)", "![a](http://evil.example/x.png)", "[a][b]", "[a]: javascript:alert(1)", "[^1]: note",
    "<script>alert(1)</script>", "<img src=x onerror=alert(2)>", "<!-- x", "]]>", "</script>", "&lt;b&gt; &#x41; R&D",
    "http://evil.example www.evil.example", "# head", "- point", "1. point", "> quoted", "---", "===", "~~~",
    "    code", "$x^2$ $$y$$", "\\input{/etc/passwd}", "\\", "{", "}", "%", "a_b^c~d#e&f", "[10]", "*", "--",
    "''", "<<", "?`",
    "\x1b[31mred\x1b]0;title\x07", "\x9b31m", "\u202egnp.exe", "\u2066x\u2069", "a\u2028b\u2029c", "\x00", "\u200b",
    "é ü ß 中文 🙂", "..", ".", "", " ", "/", "a/b", "../../etc/passwd", "C:\\x", "CON", "nul.txt", "a:b", "a.",
    "x" * 300, "中" * 120, "\ud800", '"quoted"', "{{ 7*7 }}", "{% raw %}", "%s {0}", "[/red]", "[link=http://evil.example]x[/link]",
)  # fmt: skip
