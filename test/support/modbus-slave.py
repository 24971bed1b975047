"""A Modbus slave (pymodbus 3.0, Debian's): modbus-slave.py tcp PORT | rtu PATH [--profiles PER_SECOND WIDTH]

Says "ready" when it listens. Registers, coils and inputs 0 to 999 hold their own number at first. Unit 1.
With --profiles input register 0 counts profiles, and those from 1 on are the newest profile's samples.
What is written to its stdin, "register value" a line, is put into the holding registers.
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
        self.per_second, self.width, self.since = per_second, width, time.monotonic()

    def getValues(self, address, count=1):
        counter = int((time.monotonic() - self.since) * self.per_second)
        samples = [10000 + 10 * column + counter % 7 for column in range(self.width)]
        registers = [counter & 0xFFFF] + samples + [0] * 1000
        return registers[address : address + count]


async def main():
    kind, where = sys.argv[1], sys.argv[2]
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
        register, value = line.split()
        holding.setValues(int(register), [int(value)])

    asyncio.get_running_loop().add_reader(sys.stdin, take_line)
    if kind == "tcp":
        server = ModbusTcpServer(context, address=("127.0.0.1", int(where)), allow_reuse_address=True)
        serving = asyncio.create_task(server.serve_forever())
        await server.serving
    else:
        server = ModbusSerialServer(context, ModbusRtuFramer, port=where, baudrate=115200, timeout=1)
        await server.start()
        serving = asyncio.create_task(server.serve_forever())
    print("ready", flush=True)
    await serving


asyncio.run(main())
