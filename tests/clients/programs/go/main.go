// A chat, a stream, a structured answer and a call of a tool with OpenAI's client for Go; address and key come from
// OPENAI_… variables.
//
// Usage: client MODEL [responses]. Prints one JSON object.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/shared"
)

var schema = map[string]any{
	"type":                 "object",
	"required":             []string{"day", "is_open"},
	"additionalProperties": false,
	"properties": map[string]any{
		"day":     map[string]any{"type": "string", "enum": []string{"lundi", "mardi"}},
		"is_open": map[string]any{"type": "boolean"},
	},
}

func run(ctx context.Context, model string) (map[string]any, error) {
	client := openai.NewClient()
	asked := openai.ChatCompletionNewParams{
		Model:    model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Bonjour, qui es-tu ?")},
	}
	chat, err := client.Chat.Completions.New(ctx, asked)
	if err != nil {
		return nil, fmt.Errorf("chat: %w", err)
	}

	stream := client.Chat.Completions.NewStreaming(ctx, asked)
	whole := openai.ChatCompletionAccumulator{}
	chunks := 0
	for stream.Next() {
		if !whole.AddChunk(stream.Current()) {
			return nil, fmt.Errorf("stream: a chunk does not fit")
		}
		chunks++
	}
	if err := stream.Err(); err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}

	asked.ResponseFormat = openai.ChatCompletionNewParamsResponseFormatUnion{
		OfJSONSchema: &shared.ResponseFormatJSONSchemaParam{
			JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
				Name: "opening", Schema: schema, Strict: openai.Bool(true),
			},
		},
	}
	answer, err := client.Chat.Completions.New(ctx, asked)
	if err != nil {
		return nil, fmt.Errorf("structured: %w", err)
	}
	var structured map[string]any
	if err := json.Unmarshal([]byte(answer.Choices[0].Message.Content), &structured); err != nil {
		return nil, fmt.Errorf("structured: %w", err)
	}

	asked.ResponseFormat = openai.ChatCompletionNewParamsResponseFormatUnion{}
	asked.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(
		shared.FunctionDefinitionParam{Name: "opening", Parameters: schema, Strict: openai.Bool(true)},
	)}
	asked.ToolChoice = openai.ChatCompletionToolChoiceOptionUnionParam{OfAuto: openai.String("required")}
	if answer, err = client.Chat.Completions.New(ctx, asked); err != nil {
		return nil, fmt.Errorf("called: %w", err)
	}
	var called map[string]any
	arguments := answer.Choices[0].Message.ToolCalls[0].Function.Arguments
	if err := json.Unmarshal([]byte(arguments), &called); err != nil {
		return nil, fmt.Errorf("called: %w", err)
	}
	return map[string]any{
		"chat": chat.Choices[0].Message.Content, "streamed": whole.Choices[0].Message.Content,
		"parts": chunks, "structured": structured, "called": called,
	}, nil
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	ask := run
	if len(os.Args) > 2 {
		ask = runResponses
	}
	said, err := ask(ctx, os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(said)
}
