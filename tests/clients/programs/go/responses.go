package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"
)

// The same over POST /v1/responses.
func runResponses(ctx context.Context, model string) (map[string]any, error) {
	client := openai.NewClient()
	asked := responses.ResponseNewParams{
		Model: model,
		Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("Bonjour, qui es-tu ?")},
	}
	chat, err := client.Responses.New(ctx, asked)
	if err != nil {
		return nil, fmt.Errorf("response: %w", err)
	}

	stream := client.Responses.NewStreaming(ctx, asked)
	var streamed strings.Builder
	parts, status := 0, ""
	for stream.Next() {
		switch event := stream.Current(); event.Type {
		case "response.output_text.delta":
			streamed.WriteString(event.Delta)
			parts++
		case "response.completed", "response.incomplete":
			status = string(event.Response.Status)
		}
	}
	if err := stream.Err(); err != nil || status == "" {
		return nil, fmt.Errorf("stream: %s %w", status, err)
	}

	asked.Text = responses.ResponseTextConfigParam{
		Format: responses.ResponseFormatTextConfigParamOfJSONSchema("opening", schema),
	}
	answer, err := client.Responses.New(ctx, asked)
	if err != nil {
		return nil, fmt.Errorf("structured: %w", err)
	}
	var structured map[string]any
	if err := json.Unmarshal([]byte(answer.OutputText()), &structured); err != nil {
		return nil, fmt.Errorf("structured: %w", err)
	}

	asked.Text = responses.ResponseTextConfigParam{}
	asked.Tools = []responses.ToolUnionParam{responses.ToolParamOfFunction("opening", schema, true)}
	asked.ToolChoice = responses.ResponseNewParamsToolChoiceUnion{
		OfToolChoiceMode: openai.Opt(responses.ToolChoiceOptionsRequired),
	}
	if answer, err = client.Responses.New(ctx, asked); err != nil {
		return nil, fmt.Errorf("called: %w", err)
	}
	var called map[string]any
	if err := json.Unmarshal([]byte(answer.Output[0].AsFunctionCall().Arguments), &called); err != nil {
		return nil, fmt.Errorf("called: %w", err)
	}
	return map[string]any{
		"chat": chat.OutputText(), "streamed": streamed.String(), "parts": parts,
		"structured": structured, "called": called,
	}, nil
}
