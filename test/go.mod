module github.com/aguante-chat/aguante/test

go 1.26.0

require github.com/aguante-chat/aguante/shared v0.0.0

replace github.com/aguante-chat/aguante/shared => ../shared
