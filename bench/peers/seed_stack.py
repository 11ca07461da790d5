"""The seed's own stack, built plainly: FastAPI, SQLAlchemy's asyncio, asyncpg. No sign-in, no keys, no ledger.

Served by uvicorn with uvloop and httptools. `DATABASE` is an address of PostgreSQL; the table is made at the start.
"""

import os
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from fastapi import Depends, FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import DateTime, Index, Numeric, String, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["DATABASE"], pool_size=12, max_overflow=20)
new_session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Trade(Base):
    __tablename__ = "seed_trades"
    __table_args__ = (Index("seed_trades_by_ticker", "ticker", "timestamp", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    ticker: Mapped[str] = mapped_column(String(16))
    quantity: Mapped[Decimal] = mapped_column(Numeric(28, 12))
    price: Mapped[Decimal] = mapped_column(Numeric(28, 12))
    trade_type: Mapped[str] = mapped_column(String(4))
    timestamp: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=lambda: datetime.now(UTC))


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class TradeIn(BaseModel):
    ticker: str = Field(min_length=1, max_length=16)
    quantity: Decimal = Field(gt=0)
    price: Decimal = Field(gt=0)
    trade_type: Side


class TradeOut(TradeIn):
    model_config = ConfigDict(from_attributes=True)

    id: int
    timestamp: datetime


async def session():
    async with new_session() as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.post("/trades/", response_model=TradeOut, status_code=201)
async def create_trade(body: TradeIn, session: Session):
    trade = Trade(ticker=body.ticker, quantity=body.quantity, price=body.price, trade_type=body.trade_type.value)
    session.add(trade)
    await session.commit()
    return trade


@app.get("/trades/", response_model=list[TradeOut])
async def list_trades(
    session: Session,
    ticker: str | None = None,
    trade_type: Side | None = None,
    skip: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
):
    trades = select(Trade).order_by(Trade.timestamp.desc(), Trade.id.desc()).offset(skip).limit(limit)
    if ticker:
        trades = trades.where(Trade.ticker == ticker)
    if trade_type:
        trades = trades.where(Trade.trade_type == trade_type.value)
    return (await session.scalars(trades)).all()


@app.get("/trades/stats")
async def trade_stats(session: Session) -> dict:
    is_buy = Trade.trade_type == "BUY"
    notional = Trade.quantity * Trade.price
    row = (
        await session.execute(
            select(
                func.count(),
                func.count().filter(is_buy),
                func.sum(Trade.quantity),
                func.sum(notional),
                func.sum(case((is_buy, notional))) / func.sum(case((is_buy, Trade.quantity))),
            )
        )
    ).one()
    names = ("trade_count", "buy_count", "total_quantity", "total_notional", "average_buy_price")
    return dict(zip(names, row, strict=True))
