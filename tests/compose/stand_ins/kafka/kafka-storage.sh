#!/bin/bash
# As in Apache Kafka's image: formats a folder of the log.
exec /opt/java/bin/java -Xmx128m -XX:TieredStopAtLevel=1 -cp '/opt/kafka/libs/*' kafka.tools.StorageTool "$@"
