// Asks a ClickHouse front as Grafana's plugin does: clickhouse-go over HTTP, with each compression.
//
// Usage: clients HOST:PORT WRITER PASSWORD. Prints one line per case, and ends with 1 if one failed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

var compressions = map[string]clickhouse.CompressionMethod{
	"none": clickhouse.CompressionNone, "lz4": clickhouse.CompressionLZ4, "zstd": clickhouse.CompressionZSTD,
	"gzip": clickhouse.CompressionGZIP, "deflate": clickhouse.CompressionDeflate, "br": clickhouse.CompressionBrotli,
}

func open(address, user, password string, method clickhouse.CompressionMethod) (driver.Conn, error) {
	return clickhouse.Open(&clickhouse.Options{
		Addr:        []string{address},
		Protocol:    clickhouse.HTTP,
		Auth:        clickhouse.Auth{Username: user, Password: password},
		Compression: &clickhouse.Compression{Method: method},
		Settings:    clickhouse.Settings{"max_execution_time": 20, "log_comment": "dashboard", "load_balancing": "random"},
		DialTimeout: 10 * time.Second,
		ReadTimeout: 30 * time.Second,
	})
}

func types(ctx context.Context, conn driver.Conn) error {
	var (
		small  uint8
		text   string
		moment time.Time
		list   []uint64
		pairs  map[string]uint64
		absent *uint64
		kind   string
	)
	row := conn.QueryRow(ctx, `SELECT toUInt8(7), 'x', toDateTime64(1, 3, 'UTC'), [1, 2]::Array(UInt64),
		map('k', toUInt64(3)), CAST(NULL, 'Nullable(UInt64)'), toLowCardinality('low')`)
	if err := row.Scan(&small, &text, &moment, &list, &pairs, &absent, &kind); err != nil {
		return err
	}
	if small != 7 || text != "x" || moment.Unix() != 1 || len(list) != 2 || pairs["k"] != 3 || absent != nil || kind != "low" {
		return errors.New("other values came back")
	}
	return nil
}

func many(ctx context.Context, conn driver.Conn) error {
	rows, err := conn.Query(ctx, "SELECT number, toString(number) FROM numbers(200000)")
	if err != nil {
		return err
	}
	defer rows.Close()
	var count, sum, number uint64
	var text string
	for rows.Next() {
		if err := rows.Scan(&number, &text); err != nil {
			return err
		}
		count++
		sum += number
	}
	if rows.Err() != nil || count != 200000 || sum != 19999900000 {
		return fmt.Errorf("%d rows came: %w", count, rows.Err())
	}
	return nil
}

func none(ctx context.Context, conn driver.Conn) error {
	rows, err := conn.Query(ctx, "SELECT number FROM numbers(10) WHERE number > 100")
	if err != nil {
		return err
	}
	defer rows.Close()
	if rows.Next() {
		return errors.New("a row came")
	}
	return rows.Err()
}

func parameters(ctx context.Context, conn driver.Conn) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithParameters(clickhouse.Parameters{"least": "90"}))
	var count uint64
	if err := conn.QueryRow(ctx, "SELECT count() FROM numbers(100) WHERE number >= {least:UInt64}").Scan(&count); err != nil {
		return err
	}
	if count != 10 {
		return fmt.Errorf("%d", count)
	}
	return nil
}

func mistake(ctx context.Context, conn driver.Conn) error {
	var exception *clickhouse.Exception
	err := conn.QueryRow(ctx, "SELECT nowhere FROM numbers(1)").Scan(new(uint64))
	if err == nil {
		return errors.New("no error came")
	}
	if errors.As(err, &exception) && exception.Code != 47 {
		return fmt.Errorf("code %d", exception.Code)
	}
	return nil
}

func refused(ctx context.Context, conn driver.Conn) error {
	if conn.Exec(ctx, "CREATE TABLE comptoir.of_a_reader (a UInt8) ENGINE = MergeTree ORDER BY a") == nil {
		return errors.New("a reader made a table")
	}
	return nil
}

func batch(ctx context.Context, conn driver.Conn) error {
	for _, statement := range []string{
		"DROP TABLE IF EXISTS comptoir.of_go SYNC",
		"CREATE TABLE comptoir.of_go (a UInt64, b UInt32) ENGINE = MergeTree ORDER BY a",
	} {
		if err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	prepared, err := conn.PrepareBatch(ctx, "INSERT INTO comptoir.of_go (a, b)")
	if err != nil {
		return err
	}
	for number := range 1000 {
		if err := prepared.Append(uint64(number), uint32(number)); err != nil {
			return err
		}
	}
	if err := prepared.Send(); err != nil {
		return err
	}
	var count uint64
	if err := conn.QueryRow(ctx, "SELECT count() FROM comptoir.of_go").Scan(&count); err != nil {
		return err
	}
	if count != 1000 {
		return fmt.Errorf("%d rows", count)
	}
	return nil
}

func main() {
	address, writer, password := os.Args[1], os.Args[2], os.Args[3]
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	failed := false
	tell := func(name string, err error) {
		if err != nil {
			failed = true
		}
		fmt.Println(name, "error:", err)
	}
	asks := map[string]func(context.Context, driver.Conn) error{
		"ping": func(ctx context.Context, conn driver.Conn) error { return conn.Ping(ctx) },
		"types": types, "many": many, "none": none, "parameters": parameters, "mistake": mistake, "refused": refused,
	}
	for compression, method := range compressions {
		conn, err := open(address, "default", "", method)
		if err != nil {
			tell(compression, err)
			continue
		}
		for name, ask := range asks {
			tell(compression+" "+name, ask(ctx, conn))
		}
		conn.Close()
		if conn, err = open(address, writer, password, method); err == nil {
			err = batch(ctx, conn)
			conn.Close()
		}
		tell(compression+" batch", err)
	}
	if failed {
		os.Exit(1)
	}
}
