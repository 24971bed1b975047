"""A Modbus slave (pymodbus 3.0, Debian's): modbus-slave.py tcp HOST PORT | rtu PATH [--profiles PER_SECOND WIDTH]

Says "ready" when it listens. Registers, coils and inputs 0 to 999 hold their own number at first. Unit 1.
With --profiles input register 0 counts profiles, and those from 1 on are the newest profile's samples.
Lines on its stdin: "register value" goes into the holding registers; with --profiles normal, slow (a twentieth of the
pace), half (an answer has the first half of what was asked for) or narrow (half the samples have no register).
"""

import asyncio
import sys
import time

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server.async_io import ModbusSerialServer, ModbusTcpServer
from pymodbus.transaction import ModbusRtuFramer


class Profiles(ModbusSequentialDataBlock):
    """The counter follows the clock, so every read may find another profile."""

    def __init__(self, per_second, width):
        super().__init__(0, [0] * 1000)
        self.usual_pace = self.per_second = per_second
        self.width, self.since, self.counted, self.mode = width, time.monotonic(), 0.0, "normal"

    def become(self, mode):
        now = time.monotonic()
        self.counted += (now - self.since) * self.per_second
        self.since, self.mode = now, mode
        self.per_second = self.usual_pace / (20 if mode == "slow" else 1)

    def validate(self, address, count=1):
        is_there = self.mode != "narrow" or address + count <= 1 + self.width // 2
        return is_there and super().validate(address, count)

    def getValues(self, address, count=1):
        counter = int(self.counted + (time.monotonic() - self.since) * self.per_second)
        samples = [10000 + 10 * column + counter % 7 for column in range(self.width)]
        registers = [counter & 0xFFFF] + samples + [0] * 1000
        return registers[address : address + (count // 2 if self.mode == "half" else count)]


async def main():
    kind, *where = sys.argv[1:4]
    numbers = lambda: ModbusSequentialDataBlock(0, list(range(1000)))
    holding = numbers()
    inputs = numbers()
    if "--profiles" in sys.argv:
        at = sys.argv.index("--profiles")
        inputs = Profiles(float(sys.argv[at + 1]), int(sys.argv[at + 2]))
    bits = lambda: ModbusSequentialDataBlock(0, [number % 2 for number in range(1000)])
    # Without zero_mode pymodbus answers with the register after the one that was asked for.
    slave = ModbusSlaveContext(di=bits(), co=bits(), hr=holding, ir=inputs, zero_mode=True)
    context = ModbusServerContext(slaves={1: slave}, single=False)

    def take_line():
        line = sys.stdin.readline()
        if not line:
            asyncio.get_running_loop().remove_reader(sys.stdin)
            return
        first, *value = line.split()
        if value:
            holding.setValues(int(first), [int(value[0])])
        else:
            inputs.become(first)

    asyncio.get_running_loop().add_reader(sys.stdin, take_line)
    if kind == "tcp":
        server = ModbusTcpServer(context, address=(where[0], int(where[1])), allow_reuse_address=True)
        serving = asyncio.create_task(server.serve_forever())
        await server.serving
    else:
        server = ModbusSerialServer(context, ModbusRtuFramer, port=where[0], baudrate=115200, timeout=1)
        await server.start()
        serving = asyncio.create_task(server.serve_forever())
    print("ready", flush=True)
    await serving


asyncio.run(main())
